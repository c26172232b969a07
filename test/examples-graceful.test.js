'use strict'

// examples/graceful.js: what becomes of connections when it is ended.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { MIB, digest, run, sha256, temporaryFolder, test } = require('./helpers')
const { assertChecksArguments, assertTellsOfTakenPort, assertWay, startServer } = require('./helpers/example-server')
const { answersIn, ask, connect, readAll } = require('./helpers/http')

const FILE = 'examples/graceful.js'

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const LARGE = 24 * MIB

/** Longer than any test. */
const LONG = '999999999'

async function start (t, grace) {
  const folder = temporaryFolder(t)
  const bytes = crypto.randomBytes(LARGE)
  fs.writeFileSync(path.join(folder, 'large'), bytes)
  fs.writeFileSync(path.join(folder, 'small'), 'a small file')
  const server = await startServer(t, FILE, ['0', folder, grace])
  const { port } = server.urls[0]
  /** A download that has begun, and stands still. */
  const begin = async () => {
    const response = await server.ask('/large')
    await once(response, 'readable')
    return response
  }
  return { ...server, folder, bytes, port, begin }
}

/** A connection that has had an answer, or none yet, and is kept. */
async function keep (t, port, request) {
  const socket = connect(t, port)
  await once(socket, 'connect')
  if (request) {
    socket.write(request)
    await once(socket, 'readable')
  }
  return { socket, closed: readAll(socket) }
}

test('examples/graceful.js lets downloads finish, and closes what nobody uses', async (t) => {
  const { bytes, port, begin, end, get, held, folder, printed } = await start(t, LONG)
  assert.equal((await get('/missing')).status, 404)
  const download = await begin()
  const used = connect(t, port)
  used.write(ask('/large', { last: false }))
  await once(used, 'readable')
  const idle = await keep(t, port, ask('/small', { last: false }))
  const ended = end()
  await printed(/^Waiting for \d under way$/m)
  await idle.closed
  await assert.rejects(once(connect(t, port), 'connect'), { code: 'ECONNREFUSED' })

  used.write(ask('/small', { last: false })) // one more, on a connection that is kept
  const [first, second, ...others] = answersIn(await readAll(used))
  assert.deepEqual([sha256(first.body), String(second.body), others], [sha256(bytes), 'a small file', []])
  assert.equal(second.headers.connection, 'close')
  assert.ok(held(folder).length > 0, 'the other is still under way')
  assert.equal((await digest(download)).sha256, sha256(bytes))
  const { code, stderr, bytes: way } = await ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assertWay(way, LARGE * 2 + 'a small file'.length * 2)
})

test('examples/graceful.js ends with the last download, also when its client leaves', async (t) => {
  const { port, begin, end, printed } = await start(t, LONG)
  const response = await begin()
  const unused = await keep(t, port)
  const ended = end('SIGINT')
  await printed(/^Waiting for 1 under way$/m)
  response.destroy()
  await unused.closed
  const { code, stderr } = await ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})

test('examples/graceful.js breaks off what lasts longer than the grace', async (t) => {
  const { begin, end } = await start(t, '50')
  const responses = await Promise.all([begin(), begin()])
  const { code, stderr } = await end()
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '2 broken off\n' })
  for (const response of responses) await assert.rejects(digest(response), { code: 'ECONNRESET' })
})

test('examples/graceful.js ends at once at the second signal, and when nothing is under way at the first', async (t) => {
  const first = await start(t, LONG)
  const response = await first.begin()
  first.child.kill('SIGTERM')
  await first.printed(/^Waiting for 1 under way$/m)
  assert.equal((await first.end('SIGTERM')).code, 0)
  await assert.rejects(digest(response), { code: 'ECONNRESET' })

  const second = await start(t, LONG)
  assert.equal((await second.get('/small')).sha256, sha256('a small file')) // on a connection that is kept
  assert.equal((await second.end()).code, 0)
  assert.match(second.output.stdout, /^Waiting for \d under way\nEnded\n$/m)
})

test('examples/graceful.js says how to use it, and why it cannot listen', async (t) => {
  const usage = 'graceful <port> <folder> <grace>'
  await assertChecksArguments(FILE, usage, ['1000'])
  for (const grace of ['', '-1', '1.5', 'soon', '9999999999']) {
    const { code, stderr } = await run([FILE, '0', '.', grace])
    assert.deepEqual({ code, stderr }, { code: 2, stderr: `usage: ${usage}\n` })
  }
  await assertTellsOfTakenPort(t, FILE, ['1000'])
})
