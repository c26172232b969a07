'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { createReadStream, stats } = require('sendfile-native')
const { MIB, connection, isNative, temporaryFile, test, turns } = require('./helpers')

const skip = !isNative && 'fs leaves it open'

/** Until it has closed: the errors that it told of. */
async function errorsOf (stream) {
  const errors = []
  stream.on('error', (err) => errors.push(err))
  await new Promise((resolve) => stream.once('close', resolve))
  return errors
}

/** Until a connection takes no more: an engine that waits is the first to learn of a reset. */
async function stalled (before) {
  for (let still = 0, last; still < 100; still++) {
    const { reactor } = stats().bytes
    if (reactor !== last || reactor === before) still = 0
    last = reactor
    await turns(1)
  }
}

test('a client that resets the connection is no error of the file', { skip }, async (t) => {
  const { path } = temporaryFile(t, 32 * MIB)
  const before = stats().bytes.reactor
  const server = http.createServer((req, res) => {
    const source = createReadStream(path)
    source.pipe(res)
    server.emit('file', source)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
  const [source] = await once(server, 'file')
  const errors = errorsOf(source)
  await once(client, 'readable')
  await stalled(before)
  client.resetAndDestroy()
  assert.deepEqual(await errors, [])
  assert.equal(source.destroyed, true)
})

test('nor is that of a socket, which tells of it itself', { skip }, async (t) => {
  const { path } = temporaryFile(t, 32 * MIB)
  for (let round = 0; round < 20; round++) {
    const { here, there } = await connection(t)
    const source = createReadStream(path)
    const errors = errorsOf(source)
    const lost = once(here, 'error')
    source.pipe(here)
    await once(there, 'readable')
    there.resetAndDestroy()
    const [err] = await lost
    assert.match(err.code, /^(ECONNRESET|EPIPE)$/)
    assert.deepEqual(await errors, [])
  }
})
