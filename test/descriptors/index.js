'use strict'

// node test/descriptors [--quick] [--connections N] [--at-once N] [--seed N]
//
// Short connections, each of which asks for one file in one of many ways, and most of which leave at a random moment:
// before their request, in the answer, after it, by a FIN, by a reset, half closed. Meanwhile descriptor numbers are
// recycled as fast as they come free, files are replaced and truncated, and workers are terminated with transfers of
// their own. No byte of another file, or of another place, may arrive, no decoy may be touched, and in the end
// everything is as it was.

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { Random } = require('../soak/random')
const { Proof, build, client, folder, options, replace } = require('../helpers/long-proof')

const { quick, seed, connections, 'at-once': atOnce } = options('descriptors', { connections: [1_000_000, 80_000], 'at-once': [192, 192] })
const proof = new Proof('descriptors', seed)

const KIB = 1024
const DECOYS = 48
const CHANGE_MS = 15
const SETTLE_MS = 20_000
const PAGE = 4 * KIB
const MOST_VERSIONS = 0xffff

/** Small ones, some larger than any send buffer, and those that are truncated now and then. */
function filesOf (random) {
  const files = []
  const add = (size, shrinks) => files.push({ id: files.length + 1, size: Math.max(8, size - size % 8), shrinks })
  for (let index = 0; index < 32; index++) add(random.size(16 * KIB), false)
  for (let index = 0; index < 20; index++) add(random.between(16 * KIB, 256 * KIB), index % 4 === 0)
  for (let index = 0; index < 6; index++) add(random.between(512 * KIB, 4096 * KIB), index % 3 === 0)
  return files
}

/** Changes files until it is told to end: `{ end(): number of changes }`. */
function changing (shared, files, random) {
  const versions = new Map(files.map(({ id }) => [id, 0]))
  const changeable = files.filter(({ size, shrinks }) => shrinks || size <= 256 * KIB)
  let changes = 0
  const timer = setInterval(() => {
    const file = random.pick(changeable)
    const place = path.join(shared, String(file.id))
    const pages = Math.floor((fs.statSync(place).size - 1) / PAGE)
    if (file.shrinks && pages > 0 && random.chance(0.5)) {
      fs.truncateSync(place, random.between(0, pages) * PAGE) // never longer: that would be zeros
    } else {
      const version = (versions.get(file.id) + 1) % MOST_VERSIONS
      versions.set(file.id, version)
      replace(shared, file, version)
    }
    changes++
  }, CHANGE_MS)
  return () => {
    clearInterval(timer)
    return changes
  }
}

function startServer (shared) {
  const server = fork(path.join(__dirname, 'server.js'), [shared, DECOYS], { execArgv: ['--expose-gc', '--no-warnings'] })
  process.on('exit', () => server.kill('SIGKILL'))
  server.on('exit', (code, signal) => {
    server.hasExited = true
    if (server.mayEnd && code === 0) return
    proof.found(`the server has ended: ${signal ?? code}`)
    proof.end()
    process.exit(1)
  })
  server.on('message', ({ failure }) => { if (failure) proof.found(`server: ${failure}`) })
  const next = async (wanted) => {
    for (;;) {
      const [message] = await once(server, 'message')
      if (wanted in message) return message
    }
  }
  const ask = async (command, wanted) => {
    const answer = next(wanted)
    server.send(command)
    return (await answer)[wanted]
  }
  return { server, next, ask }
}

/** Until it is so quiet as the first time, or for as long as that may take at most. */
async function settled (ask, before) {
  const until = Date.now() + SETTLE_MS
  for (;;) {
    const now = await ask('condition', 'condition')
    const isBack = now.connections === 0 && now.active === 0 && (!before || `${now.open}` === `${before.open}`)
    if (isBack || Date.now() > until) return now
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function main () {
  build('proof-client', 'testkit')
  const random = new Random(seed)
  const shared = path.join(folder('descriptors'), 'files')
  fs.mkdirSync(shared)
  const files = filesOf(random)
  for (const file of files) replace(shared, file, 0)
  proof.say(`${connections} connections, ${atOnce} at once, --seed ${seed}, ${files.length} files, Node ${process.version}${quick ? ', quick' : ''}`)

  const { server, next, ask } = startServer(shared)
  const { http, raw } = await next('http')
  const places = ['--http', http, '--raw', raw, '--http', http, '--raw', raw]
  const args = (count, first, more) => [
    '--mode', 'short', '--seed', String(seed), '--first', String(first), '--connections', String(count), '--at-once', String(atOnce),
    ...more, ...files.flatMap(({ id, size, shrinks }) => [shrinks ? '--shrinking' : '--file', `${id}:${size}`])
  ]

  // Everything that is made once is made before it is counted.
  const warm = 2000
  const mortal = await ask('mortal', 'mortal')
  await client(proof, args(warm, 0, [...places, '--mortal', mortal]))
  await ask('settle', 'settled')
  const before = await settled(ask)

  const again = await ask('mortal', 'mortal')
  const endChanging = changing(shared, files, random)
  const heard = (line) => {
    const { seconds, done, complete, left, cut, refused, bytes, findings } = line
    if (!line.last && Math.round(seconds / 5) % (quick ? 1 : 6) !== 0) return
    proof.say(`${Math.round(seconds)} s: ${done} connections (${Math.round(done / seconds)}/s), ${complete} whole, ` +
      `${left} left, ${cut} cut, ${refused} refused, ${Math.round(bytes / KIB / KIB)} MiB right, ${findings} findings`)
  }
  const done = await client(proof, args(connections, warm, [...places, '--mortal', again]), { heard })
  const changes = endChanging()
  await ask('settle', 'settled')
  const after = await settled(ask, before)

  proof.check(after.connections === 0, `${after.connections} connections are still open in the server`)
  proof.check(after.active === 0, `${after.active} transfers are still active`)
  proof.check(`${after.open}` === `${before.open}`, `descriptors: ${before.open.join(' ')}\n  and at the end: ${after.open.join(' ')}`)
  proof.check(after.native <= 1 + 8 + 4, `${after.native} native threads`)
  proof.check(after.accepted > before.accepted && done.done >= connections, `only ${done.done} connections were made`)
  const { bytes: { inline, reactor }, streams: { regions } } = after.stats
  for (const [lane, bytes] of Object.entries({ inline, reactor, regions })) {
    proof.check(bytes > 0, `nothing went by ${lane}: this run shows nothing of it`)
  }
  proof.check(after.terminated > before.terminated, 'no worker was terminated')

  const terminated = after.terminated - before.terminated
  proof.say(`${after.recycled} decoys opened and looked at, ${changes} files replaced or truncated, ${terminated} workers terminated, ${done.left} connections left early`)
  proof.say(`server: ${before.open.length} descriptors before, ${after.open.length} after; ${JSON.stringify(after.stats.bytes)}`)

  server.mayEnd = true
  const ended = server.hasExited ? null : once(server, 'exit')
  server.send('end')
  const patience = setTimeout(() => {
    proof.found('the server does not end by itself')
    server.kill('SIGKILL')
  }, SETTLE_MS)
  await ended
  clearTimeout(patience)

  if (done.cleared > 0) {
    proof.note(`${done.cleared} bytes of files that were truncated came as zeros: sendfile(2) sends the file's own ` +
      'memory, which the kernel clears up to the end of its folio')
  }
  Object.assign(proof.result, { cases: done.done, faults: done.left + changes + terminated, bytes: done.bytes })
  proof.end()
}

main()
