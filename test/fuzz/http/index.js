'use strict'

// Raw HTTP at serveStatic and at nginx, the same bytes: `node test/fuzz/http [--quick] [--minutes N]`; `--seed N`
// replays the conversation of a seed.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { options } = require('../../helpers/long-proof')
const { tellProof } = require('../../helpers/proof')
const { Random } = require('../../soak/random')
const { check } = require('./check')
const { conversation } = require('./corpus')
const { differences } = require('./differences')
const { responsesOf } = require('./responses')
const { prepare, startNginx, startOurs } = require('./sites')
const { talk } = require('./talk')

const TOGETHER = 16
/** What comes last on most connections: it closes them. */
const LAST = Buffer.from('GET /folder/deep/d.txt?last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
/** A machine that others use, too: what is found once is looked at again, with more patience. */
const PATIENCES = [1, 4, 16]
/** Everything is closed, and given up, by then, in milliseconds. */
const SETTLE_MS = 20_000

class Fuzz {
  constructor (ours, theirs) {
    this.ours = ours
    this.theirs = theirs
    this.cases = this.faults = this.bytes = this.findings = 0
    this.kinds = new Map()
    this.statuses = {}
  }

  find (seed, what, sent) {
    this.findings++
    console.log(`http: seed ${seed}: ${what}`)
    if (sent) console.log(`http:   sent ${JSON.stringify(sent.toString('latin1').slice(0, 1500))}`)
  }

  async one (seed) {
    const random = new Random(seed)
    let sent = conversation(random)
    if (random.chance(0.7)) sent = Buffer.concat([sent, LAST])
    const cut = random.chance(0.3) ? random.between(0, sent.length) : sent.length
    const abortAfter = random.chance(0.05) ? random.size(200_000) + 1 : Infinity
    this.cases++
    let problem
    for (const patience of PATIENCES) {
      problem = await this.attempt({ sent, cut, abortAfter, patience })
      if (problem === null || this.ours.ended !== null) break
    }
    if (problem !== null) this.find(seed, problem, sent)
  }

  /** @returns {string | null} what is wrong */
  async attempt ({ sent, cut, abortAfter, patience }) {
    const pieces = () => [sent.subarray(0, cut), sent.subarray(cut)].filter((piece) => piece.length > 0)
    const [ours, theirs] = await Promise.all([
      talk(this.ours.port, pieces(), { patience, abortAfter }),
      abortAfter === Infinity && this.theirs ? talk(this.theirs.port, pieces(), { patience }) : null
    ])
    const { responses, rest } = responsesOf(ours.bytes)
    if (ours.isAborted) {
      this.faults++
      return check(ours.bytes, [], null).findings[0] ?? null
    }
    if (ours.isHung) return 'the connection is not closed'
    await new Promise((resolve) => setTimeout(resolve, 5 * patience)) // what the server tells comes another way
    const isRefused = this.ours.refused.delete(ours.port) || sent.includes('CONNECT ')
    const { findings, verified } = check(ours.bytes, responses, rest, isRefused)
    if (findings.length > 0) return findings.join('; ')
    this.bytes += verified
    for (const { status } of responses) this.statuses[status] = (this.statuses[status] ?? 0) + 1
    return theirs === null ? null : this.compare(sent, isRefused, responses, responsesOf(theirs.bytes).responses)
  }

  /** Up to the first difference: behind it, the two may be talking of different requests. */
  compare (sent, isRefused, ours, theirs) {
    for (let index = 0; index < Math.max(ours.length, theirs.length); index++) {
      const pair = { ours: ours[index], theirs: theirs[index], before: theirs[index - 1], sent: sent.toString('latin1'), isRefused }
      if (isSame(pair)) {
        // nginx closes after more kinds of errors.
        if (pair.theirs.headers.connection === 'close') return null
        continue
      }
      const kind = differences.find(({ matches }) => matches(pair))
      if (kind === undefined) return `answer ${index}: ${told(pair.ours)}; nginx: ${told(pair.theirs)}`
      this.kinds.set(kind.name, (this.kinds.get(kind.name) ?? 0) + 1)
      if (!kind.goesOn) return null
    }
    return null
  }
}

function isSame ({ ours, theirs }) {
  if (ours === undefined || theirs === undefined) return false
  if (Math.floor(ours.status / 100) !== Math.floor(theirs.status / 100)) return false
  if (ours.status >= 300) return true
  return ours.status === theirs.status && ours.headers['content-range'] === theirs.headers['content-range'] &&
    ours.headers['x-method'] === theirs.headers['x-method'] && (ours.body === null) === (theirs.body === null)
}

function told (response) {
  if (response === undefined) return 'none'
  const { status, method, headers } = response
  return `${status} ${method} ${headers['x-target'] ?? ''} ${headers['content-range'] ?? ''}`
}

async function main () {
  const { isReplay, minutes, seed } = options('fuzz/http', { minutes: [6, 0.4] })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-http-'))
  const root = prepare(folder)
  const [ours, theirs] = [await startOurs(root), await startNginx(root, folder)]
  const fuzz = new Fuzz(ours, theirs)
  // What is opened once is open before it is counted.
  await talk(ours.port, [LAST])
  const before = await ours.ask()
  const until = Date.now() + minutes * 60_000
  let next = seed
  const lane = async () => {
    while (next === seed || (!isReplay && Date.now() < until && ours.ended === null)) {
      await fuzz.one(next++)
      if (fuzz.cases % 2000 === 0) console.log(`http: ${fuzz.cases} conversations, ${fuzz.findings} findings`)
    }
  }
  await Promise.all(Array.from({ length: isReplay ? 1 : TOGETHER }, lane))
  if (ours.ended !== null) fuzz.find('any', `the server ended with ${ours.ended}: ${ours.stderr}`)
  else await settle(fuzz, before)
  console.log(`http: seeds ${seed} to ${next - 1}, ${fuzz.cases} conversations, answers by status ${JSON.stringify(fuzz.statuses)}`)
  for (const { name, reason } of differences) {
    if (fuzz.kinds.has(name)) console.log(`http: ${fuzz.kinds.get(name)} times ${name}: ${reason}`)
  }
  for (const site of [ours, theirs]) site?.stop()
  fs.rmSync(folder, { recursive: true, force: true })
  const notes = theirs === null ? ['http: not compared with nginx, which is not there'] : []
  const { cases, faults, bytes, findings } = fuzz
  tellProof({ cases, faults, bytes, findings, notes })
}

/** Every connection, descriptor and transfer is given up. */
async function settle (fuzz, before) {
  const until = Date.now() + SETTLE_MS
  let after
  do {
    await new Promise((resolve) => setTimeout(resolve, 200))
    after = await fuzz.ours.ask()
  } while (JSON.stringify(after) !== JSON.stringify(before) && Date.now() < until)
  if (JSON.stringify(after) !== JSON.stringify(before)) {
    fuzz.find('any', `at the start ${JSON.stringify(before)}, and at the end ${JSON.stringify(after)}`)
  }
}

main()
