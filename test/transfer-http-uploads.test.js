'use strict'

// Files as the bodies of requests.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const { transferFile } = require('sendfile-native')
const { MIB, temporaryFile, temporaryFolder, test, turns, until } = require('./helpers')
const certificate = require('./helpers/certificate')
const {
  HOST, answerOf, answersIn, ask, assertBytes, assertCopied, assertNative, assertPrefix, connect, getTls,
  outcome, readAll, serve, untilReleased, untilStalled, watchCopies
} = require('./helpers/http')

const LARGE = 24 * MIB

/** A server that answers an upload with what it got. */
async function receive (t, options) {
  const bodies = []
  const served = await serve(t, async (req, res) => {
    const chunks = []
    for await (const chunk of req) chunks.push(chunk)
    bodies.push({ body: Buffer.concat(chunks), headers: req.headers })
    res.end('thanks')
  }, options)
  return { ...served, bodies }
}

test('an upload gets Content-Length, and the file as its body', async (t) => {
  const assertNothingCopied = watchCopies()
  const { port, bodies } = await receive(t)
  for (const size of [0, 1, 1000, 100_000, 5 * MIB]) {
    const file = temporaryFile(t, size)
    const request = http.request({ host: HOST, port, method: 'PUT', headers: { 'X-Own': 'yes' } })
    const [answer, result] = await Promise.all([answerOf(request), transferFile(request, file.path)])
    assert.equal(String(answer.body), 'thanks')
    const { body, headers } = bodies.pop()
    assert.equal(headers['content-length'], String(size))
    assert.equal(headers['x-own'], 'yes')
    assertBytes(body, file.bytes)
    assert.equal(result.bytesSent, size)
    assertNative(result)
    await untilReleased(file.path)
  }
  assertNothingCopied()
})

test('an upload can be chunked, with writes before and after', async (t) => {
  const assertNothingCopied = watchCopies()
  const { port, bodies } = await receive(t)
  const file = temporaryFile(t, 3 * MIB)
  const request = http.request({ host: HOST, port, method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } })
  const answer = answerOf(request)
  request.write('before')
  assertNative(await transferFile(request, file.path, { endDestination: false }))
  request.end('after')
  await answer
  assert.equal(bodies[0].headers['transfer-encoding'], 'chunked')
  assertBytes(bodies[0].body, Buffer.concat([Buffer.from('before'), file.bytes, Buffer.from('after')]))
  assertNothingCopied()
})

test('20 uploads, one after the other, on one connection', async (t) => {
  const assertNothingCopied = watchCopies()
  const { server, port, bodies } = await receive(t)
  let connections = 0
  server.on('connection', () => connections++)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const file = temporaryFile(t, 300_000)
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const request = http.request({ host: HOST, port, method: 'PUT', agent })
    const [, result] = await Promise.all([answerOf(request), transferFile(request, file.path, { start: i })])
    assertNative(result)
  }))
  assert.equal(connections, 1)
  const starts = bodies.map(({ body }) => file.bytes.length - body.length)
  assert.deepEqual(starts.sort((a, b) => a - b), [...Array(20).keys()])
  for (const { body } of bodies) assertBytes(body, file.bytes.subarray(file.bytes.length - body.length))
  assertNothingCopied()
  await untilReleased(file.path)
})

test('an upload over HTTPS is copied, because of TLS', async (t) => {
  const { port, bodies } = await receive(t, { create: https.createServer, ...certificate })
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const file = temporaryFile(t, 3 * MIB)
    const request = getTls(t, port, '/', { method: 'PUT', headers })
    const [, result] = await Promise.all([answerOf(request), transferFile(request, file.path)])
    assertBytes(bodies.pop().body, file.bytes)
    assertCopied(result, 'tls')
    await untilReleased(file.path)
  }
})

test('an upload to nobody rejects and leaves nothing', async (t) => {
  const file = temporaryFile(t, 100_000)
  const { server, port } = await receive(t)
  server.close()
  const request = http.request({ host: HOST, port, method: 'PUT' })
  const failed = once(request, 'error')
  const { err } = await outcome(transferFile(request, file.path))
  assert.equal(err.bytesSent, 0)
  assert.equal((await failed)[0].code, 'ECONNREFUSED')
  await untilReleased(file.path)
})

test('an upload that gets no connection rejects, and opens nothing', async (t) => {
  const file = temporaryFile(t, MIB)
  const refused = new Error('no connection')
  const createConnection = (options, callback) => { setImmediate(callback, refused) }
  const request = http.request({ method: 'PUT', host: HOST, createConnection })
  request.on('error', () => {})
  const { err } = await outcome(transferFile(request, file.path))
  assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
  assert.equal(err.cause, refused)
  assert.equal(err.bytesSent, 0)
  await untilReleased(file.path)
})

test('an upload whose server goes in the middle rejects with bytesSent and leaves nothing', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port } = await serve(t, async (req) => {
    await once(req, 'readable')
    await turns(50)
    req.socket.resetAndDestroy()
  })
  const request = http.request({ host: HOST, port, method: 'PUT' })
  request.on('error', () => {})
  const { err } = await outcome(transferFile(request, file.path))
  assert.ok(err.bytesSent >= 0 && err.bytesSent < LARGE)
  await untilReleased(file.path)
})

test('an upload that is aborted in the middle ends there', async (t) => {
  const file = temporaryFile(t, LARGE)
  const controller = new AbortController()
  let received
  const { port, calls } = await serve(t, async (req) => {
    received = connectionOf(req)
    await received
  })
  const request = http.request({ host: HOST, port, method: 'PUT' })
  request.on('error', () => {})
  const call = outcome(transferFile(request, file.path, { signal: controller.signal }))
  const [socket] = await once(request, 'socket')
  await untilStalled(socket)
  controller.abort()
  const { err } = await call
  assert.equal(err.name, 'AbortError')
  assert.ok(err.bytesSent > 0 && err.bytesSent < LARGE)
  await Promise.all(calls)
  assertPrefix(await received, file.bytes)
  await untilReleased(file.path)

  async function connectionOf (req) {
    await until(() => controller.signal.aborted)
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('error', () => {})
    await new Promise((resolve) => req.once('close', resolve))
    return Buffer.concat(chunks)
  }
})

test('an upload whose signal has already fired leaves the request untouched', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port, bodies } = await receive(t)
  const request = http.request({ host: HOST, port, method: 'PUT' })
  const answer = answerOf(request)
  const { err } = await outcome(transferFile(request, file.path, { signal: AbortSignal.abort() }))
  assert.equal(err.name, 'AbortError')
  assert.equal(err.bytesSent, 0)
  request.end('something else')
  await answer
  assert.equal(String(bodies[0].body), 'something else')
})

test('an upload of what cannot be opened rejects, and the request is free for something else', async (t) => {
  const { port, bodies } = await receive(t)
  const request = http.request({ host: HOST, port, method: 'PUT' })
  const answer = answerOf(request)
  await assert.rejects(transferFile(request, temporaryFolder(t)), { code: 'EISDIR', bytesSent: 0 })
  request.end('something else')
  await answer
  assert.equal(String(bodies[0].body), 'something else')
})

test('a file can be uploaded while a request is answered', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, bodies } = await receive(t)
  const { port: front, calls } = await serve(t, async (req, res) => {
    const request = http.request({ host: HOST, port, method: 'PUT' })
    const [answer, result] = await Promise.all([answerOf(request), transferFile(request, file.path)])
    res.end(answer.body)
    return result
  })
  const client = connect(t, front)
  client.write(ask())
  assert.equal(String(answersIn(await readAll(client))[0].body), 'thanks')
  assertNative(await calls[0])
  assertBytes(bodies[0].body, file.bytes)
})
