'use strict'

// Every function of the package with arguments that nobody passes on purpose, in processes that may die of them:
// `node test/fuzz/api [--quick] [--minutes N]`; `--seed N` replays the round of a seed.

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { options } = require('../../helpers/long-proof')
const { tellProof } = require('../../helpers/proof')

const CASES = 200
/** A round that makes no progress for so long hangs. */
const HANG_MS = 45_000
const TOGETHER = 2

/** One seed: `{ cases, findings, outcomes }`. */
async function round (seed) {
  const child = fork(path.join(__dirname, 'round.js'), [seed, CASES],
    { execArgv: ['--expose-gc', '--no-warnings'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let [last, end, stderr] = [{}, null, '']
  let isHung = false
  const hang = () => { isHung = true; child.kill('SIGKILL') }
  let timer = setTimeout(hang, HANG_MS)
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr = (stderr + text).slice(-4000) })
  child.on('message', (message) => {
    clearTimeout(timer)
    timer = setTimeout(hang, HANG_MS)
    if (message.end) end = message
    else last = message
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  const findings = end?.findings ?? []
  const where = `case ${last.index}: ${last.name}: ${last.stage}`
  if (isHung) findings.push(`${where}: no progress for ${HANG_MS / 1000} s`)
  else if (end === null || code !== 0) findings.push(`${where}: the process ended with ${signal ?? code}: ${stderr}`)
  return { cases: end === null ? last.index ?? 0 : CASES, findings, outcomes: end?.outcomes ?? {} }
}

async function main () {
  const { isReplay, minutes, seed } = options('fuzz/api', { minutes: [7, 0.4] })
  const until = Date.now() + minutes * 60_000
  const outcomes = {}
  let [rounds, cases, findings] = [0, 0, 0]
  const lane = async () => {
    while (rounds === 0 || (!isReplay && Date.now() < until)) {
      const own = seed + rounds++
      const result = await round(own)
      cases += result.cases
      findings += result.findings.length
      for (const finding of result.findings) console.log(`api: seed ${own}: ${finding}`)
      for (const [name, count] of Object.entries(result.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + count
      if (rounds % 20 === 0) console.log(`api: ${rounds} rounds, ${cases} calls, ${findings} findings`)
    }
  }
  await Promise.all(Array.from({ length: isReplay ? 1 : TOGETHER }, lane))
  const told = Object.entries(outcomes).sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ')
  console.log(`api: seeds ${seed} to ${seed + rounds - 1}, ${cases} calls: ${told}`)
  tellProof({ cases, findings, notes: [] })
}

main()
