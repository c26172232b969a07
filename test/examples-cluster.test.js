'use strict'

// examples/cluster.js: its workers serve at one port, are replaced, and end with it.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { MIB, digest, sha256, temporaryFolder, test, until } = require('./helpers')
const { assertChecksArguments, assertTellsOfTakenPort, assertWay, startServer } = require('./helpers/example-server')
const { ask, connect, readAll } = require('./helpers/http')

const FILE = 'examples/cluster.js'
const WORKERS = os.cpus().length

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const LARGE = 24 * MIB

/** The cluster over a folder with a file, when all of its workers listen. */
async function start (t) {
  const folder = temporaryFolder(t)
  const bytes = crypto.randomBytes(LARGE)
  fs.writeFileSync(path.join(folder, 'large'), bytes)
  const server = await startServer(t, FILE, ['0', folder])
  t.after(() => { // those of a primary that was killed are none of its business any more
    for (const pid of pids().filter(isRunning)) process.kill(pid, 'SIGKILL')
  })
  const pids = () => Array.from(server.output.stdout.matchAll(/^worker (\d+) serves/mg), ([, pid]) => Number(pid))
  const running = () => pids().filter(isRunning)
  await until(() => running().length === WORKERS)
  /** The workers that have the file open. */
  const sending = () => running().filter((pid) => server.held(folder, pid).length > 0)
  return { ...server, folder, bytes, pids, running, sending }
}

function isRunning (pid) {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

test('examples/cluster.js serves from all of its workers at one port', async (t) => {
  const { bytes, get, ask, urls, pids, sending, folder, held, end } = await start(t)
  assert.equal(new Set(urls.map(String)).size, 1)
  const responses = await Promise.all(Array.from({ length: WORKERS }, () => ask('/large')))
  await Promise.all(responses.map((response) => once(response, 'readable')))
  assert.equal(sending().length, WORKERS, 'each has one')
  for (const { sha256: hash } of await Promise.all(responses.map(digest))) assert.equal(hash, sha256(bytes))
  const part = await get('/large', { range: 'bytes=5-9' })
  assert.deepEqual([part.status, part.sha256], [206, sha256(bytes.subarray(5, 10))])
  assert.equal((await get('/missing')).status, 404)

  const left = await ask('/large')
  await once(left, 'readable')
  assert.equal(sending().length, 1)
  left.destroy()
  await until(() => pids().every((pid) => held(folder, pid).length === 0))
  const { code, stderr, bytes: way } = await end()
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assertLeast(way, LARGE * WORKERS + 5)
  assert.deepEqual(pids().filter(isRunning), [])
})

/** As assertWay; of what was broken off, nobody knows how much there was. */
function assertLeast ({ native, copied }, bytes) {
  assertWay({ native, copied: Math.min(copied, bytes) }, bytes)
}

test('examples/cluster.js replaces a worker that dies, and gives up when they go on dying', async (t) => {
  const { bytes, output, get, pids, running, printed, end } = await start(t)
  const dead = []
  for (let deaths = 1; deaths <= 5; deaths++) {
    dead.push(running()[0])
    process.kill(dead.at(-1), 'SIGKILL')
    await printed(new RegExp(`^worker ${dead.at(-1)} has ended: SIGKILL$`, 'm'), 'stderr')
    await until(() => running().length === WORKERS)
    assert.equal(pids().length, WORKERS + deaths)
    // The only one there was had the port, where it was free to choose.
    const port = output.stdout.trim().match(/(\d+)\/$/)[1]
    assert.equal((await get('/large', { port })).sha256, sha256(bytes), 'and goes on')
  }
  process.kill(running()[0], 'SIGKILL')
  const { code } = await end(null)
  assert.equal(code, 1)
  assert.equal(output.stderr.match(/ has ended: SIGKILL$/mg).length, 6)
  assert.equal(pids().length, WORKERS + 5, 'none in the place of the last')
  assert.deepEqual(running(), [])
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`examples/cluster.js lets downloads finish at ${signal}, and closes what is idle`, async (t) => {
    const { bytes, ask: request, urls, running, sending, end } = await start(t)
    const response = await request('/large')
    await once(response, 'readable')
    const [busy] = sending()
    const idle = connect(t, urls[0].port)
    idle.write(ask('/missing', { last: false }))
    await once(idle, 'readable')
    const ended = end(signal)
    await readAll(idle)
    await until(() => running().length === 1)
    assert.deepEqual(running(), [busy], 'the others have ended')
    assert.equal((await digest(response)).sha256, sha256(bytes))
    const { code, stderr } = await ended
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  })
}

test('examples/cluster.js ends downloads at the second signal', async (t) => {
  const { child, urls, ask: request, end } = await start(t)
  const response = await request('/large')
  await once(response, 'readable')
  child.kill('SIGTERM')
  // All workers have been told when nobody listens any more.
  await assert.rejects(until(async () => {
    await once(connect(t, urls[0].port), 'connect')
    return false
  }), { code: 'ECONNREFUSED' })
  assert.equal((await end()).code, 0)
  await assert.rejects(digest(response), { code: 'ECONNRESET' })
})

test('examples/cluster.js says how to use it, and why it cannot listen', async (t) => {
  await assertChecksArguments(FILE, 'cluster <port> <folder>')
  await assertTellsOfTakenPort(t, FILE)
})
