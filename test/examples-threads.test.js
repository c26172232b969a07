'use strict'

// examples/worker-threads.js: each thread serves, at one port where Node can, and they end together.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { MIB, digest, isNative, run, sha256, temporaryFolder, test, until } = require('./helpers')
const { HOST, assertChecksArguments, assertTellsOfTakenPort, assertWay, startServer } = require('./helpers/example-server')

const FILE = 'examples/worker-threads.js'
const THREADS = 3

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const LARGE = 24 * MIB

const [major, minor] = process.versions.node.split('.').map(Number)
const sharesPort = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

async function start (t) {
  const folder = temporaryFolder(t)
  const bytes = crypto.randomBytes(LARGE)
  fs.writeFileSync(path.join(folder, 'large'), bytes)
  fs.writeFileSync(path.join(folder, 'small'), 'a small file')
  const server = await startServer(t, FILE, ['0', folder, String(THREADS)], /^Ready$/m)
  const ports = server.urls.map(({ port }) => port)
  /** The threads that have answered so far. */
  const answered = () => new Set(Array.from(server.output.stdout.matchAll(/^thread (\d+): /mg), ([, id]) => id))
  return { ...server, folder, bytes, ports, answered }
}

/** A request on a connection of its own. */
async function getOnce (port, target) {
  const [response] = await once(http.get({ port, host: HOST, path: target, agent: false }), 'response')
  return { status: response.statusCode, ...await digest(response) }
}

test('examples/worker-threads.js serves from each of its threads', async (t) => {
  const { ports, bytes, get, ask, printed, answered, held, folder, output, end } = await start(t)
  assert.equal(ports.length, THREADS)
  assert.equal(new Set(ports).size, sharesPort ? 1 : THREADS)
  await Promise.all(ports.map(async (port) => {
    assert.equal((await get('/large', { port })).sha256, sha256(bytes))
  }))
  let small = 0
  await until(async () => { // the kernel deals them out as it likes
    for (const port of ports) assert.equal((await getOnce(port, '/small')).sha256, sha256('a small file'))
    small += ports.length
    return answered().size === THREADS
  })
  const part = await get('/large', { range: 'bytes=-7' })
  assert.deepEqual([part.status, part.sha256], [206, sha256(bytes.subarray(-7))])
  assert.equal((await get('/missing')).status, 404)
  await printed(/^thread \d+: GET \/missing 404$/m)

  const left = await ask('/large')
  await once(left, 'readable')
  assert.ok(held(folder).length > 0, 'it is under way')
  left.destroy()
  await until(() => held(folder).length === 0)
  const { code, stderr, bytes: way } = await end()
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  const least = LARGE * THREADS + 7 + small * 'a small file'.length
  assertWay({ native: way.native, copied: Math.min(way.copied, least) }, least)
  const told = /^(\d+) bytes by sendfile\(2\), (\d+) by send\(2\)$/m.exec(output.stdout).slice(1).map(Number)
  assert.equal(told[0] + told[1], way.native)
  if (isNative) assert.ok(told[0] > 0)
})

test('examples/worker-threads.js ends all of its threads at once', async (t) => {
  const { ports, ask, end } = await start(t)
  const responses = await Promise.all(ports.map(async (port) => {
    const response = await ask('/large', { port })
    await once(response, 'readable')
    return response
  }))
  const broken = responses.map((response) => assert.rejects(digest(response), { code: 'ECONNRESET' }))
  assert.equal((await end('SIGINT')).code, 0)
  await Promise.all(broken)
})

test('examples/worker-threads.js says how to use it, and why it cannot listen', async (t) => {
  const usage = 'worker-threads <port> <folder> [threads]'
  await assertChecksArguments(FILE, usage, ['1'])
  for (const threads of ['', '0', '-1', '1.5', 'many']) {
    const { code, stderr } = await run([FILE, '0', '.', threads])
    assert.deepEqual({ code, stderr }, { code: 2, stderr: `usage: ${usage}\n` })
  }
  await assertTellsOfTakenPort(t, FILE)
})
