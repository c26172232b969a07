'use strict'

// Files to messages whose bytes somebody has to see: TLS, HTTP/2, compression.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const http2 = require('node:http2')
const https = require('node:https')
const net = require('node:net')
const { Duplex } = require('node:stream')
const { stats, transferFile } = require('sendfile-native')
const zlib = require('node:zlib')
const { MIB, temporaryFile, temporaryFolder, test, turns, until } = require('./helpers')
const certificate = require('./helpers/certificate')
const {
  HOST, answerOf, answersIn, ask, assertBytes, assertCopied, assertNative, connect, exchange, get, getTls, isNative,
  outcome, serve, untilReleased, untilStalled, watchCopies
} = require('./helpers/http')

const LARGE = 24 * MIB

/** What the compression middleware does: bytes take another way, and who waits for 'drain' waits for that. */
function compress (res) {
  const { write, end, on, writeHead } = res
  const gzip = zlib.createGzip({ level: 1 })
  res.writeHead = function (...args) {
    res.removeHeader('Content-Length')
    res.setHeader('Content-Encoding', 'gzip')
    return writeHead.apply(this, args)
  }
  const begin = () => { if (!res.headersSent) res.writeHead(res.statusCode) }
  res.write = (chunk, encoding) => {
    begin()
    return gzip.write(Buffer.from(chunk, encoding))
  }
  res.end = (chunk, encoding) => {
    begin()
    gzip.end(chunk === undefined ? undefined : Buffer.from(chunk, encoding))
    return res
  }
  res.on = function (name, listener) {
    if (name === 'drain') gzip.on(name, listener)
    else on.call(this, name, listener)
    return this
  }
  gzip.on('data', (chunk) => { if (write.call(res, chunk) === false) gzip.pause() })
  gzip.on('end', () => end.call(res))
  on.call(res, 'drain', () => gzip.resume())
}

function serveTls (t, handler) {
  return serve(t, handler, { create: https.createServer, ...certificate })
}

async function serveHttp2 (t, handler) {
  const served = await serve(t, handler, { create: http2.createServer })
  const client = http2.connect(`http://${HOST}:${served.port}`)
  client.on('error', () => {})
  t.after(() => client.destroy())
  return { ...served, client }
}

/** One answer over HTTP/2. */
async function getHttp2 (client, headers = {}) {
  const stream = client.request({ ':path': '/', ...headers })
  const [fields] = await once(stream, 'response')
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return { status: fields[':status'], headers: fields, body: Buffer.concat(chunks) }
}

test('a compressed response gets the file through the compression', async (t) => {
  for (const size of [0, 1, 300_000, 5 * MIB]) {
    const file = temporaryFile(t, size)
    const { port, calls } = await serve(t, (req, res) => {
      compress(res)
      return transferFile(res, file.path, { start: Math.min(size, 10) })
    })
    const before = stats()
    const { headers, body } = await get(t, port)
    assert.equal(headers['content-encoding'], 'gzip')
    assert.equal(headers['content-length'], undefined)
    const expected = file.bytes.subarray(10)
    assertBytes(zlib.gunzipSync(body), expected)
    const result = await calls[0]
    assert.equal(result.bytesSent, expected.length)
    if (expected.length > 0) assertCopied(result, 'wrapped')
    assert.equal(stats().bytes.copied - before.bytes.copied, expected.length)
    await untilReleased(file.path)
  }
})

test('a compressed response takes writes before and after, and further requests on its connection', async (t) => {
  const file = temporaryFile(t, MIB)
  const { port } = await serve(t, async (req, res) => {
    compress(res)
    res.write('before')
    await transferFile(res, file.path, { endDestination: false })
    res.end('after')
  })
  const expected = Buffer.concat([Buffer.from('before'), file.bytes, Buffer.from('after')])
  for (const { body } of answersIn(await exchange(t, port, ask('/', { last: false }), ask()))) {
    assertBytes(zlib.gunzipSync(body), expected)
  }
})

test('a response that is wrapped between two files gives the second to the wrapper', async (t) => {
  const file = temporaryFile(t, 100_000)
  const wrapped = []
  const { port, calls } = await serve(t, async (req, res) => {
    res.setHeader('Transfer-Encoding', 'chunked')
    const first = await transferFile(res, file.path, { endDestination: false })
    const { write } = res
    res.write = function (chunk, ...args) {
      wrapped.push(Buffer.from(chunk))
      return write.call(this, chunk, ...args)
    }
    return [first, await transferFile(res, file.path)]
  })
  const { body } = await get(t, port)
  assertBytes(body, Buffer.concat([file.bytes, file.bytes]))
  assertBytes(Buffer.concat(wrapped), file.bytes, 'what the wrapper saw')
  const [first, second] = await calls[0]
  assertNative(first)
  assertCopied(second, 'wrapped')
})

test('a compressed response whose client goes rejects and leaves nothing', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serve(t, (req, res) => {
    compress(res)
    return transferFile(res, file.path)
  })
  const client = connect(t, port)
  client.write(ask())
  await once(client, 'readable')
  await until(() => [...sockets][0].bytesWritten > MIB) // more than one piece
  client.resetAndDestroy()
  const { err } = await outcome(calls[0])
  assert.ok(err.bytesSent > 0 && err.bytesSent < LARGE)
  await untilReleased(file.path)
})

test('a response whose end alone was replaced is sent natively, then ended by that end', async (t) => {
  const assertNothingCopied = watchCopies()
  const file = temporaryFile(t, 3 * MIB)
  let ends = 0
  const { port, calls } = await serve(t, (req, res) => {
    const { end } = res
    res.end = function (...args) { // as express-session: after something asynchronous
      ends++
      setImmediate(() => end.apply(this, args))
      return this
    }
    return transferFile(res, file.path)
  })
  for (const { body } of answersIn(await exchange(t, port, ask('/', { last: false }), ask()))) {
    assertBytes(body, file.bytes)
  }
  assert.equal(ends, 2)
  for (const result of await Promise.all(calls)) assertNative(result)
  assertNothingCopied()
})

test('a response whose end was replaced between two files is ended by that end', async (t) => {
  const file = temporaryFile(t, MIB)
  let ends = 0
  const { port, calls } = await serve(t, async (req, res) => {
    res.setHeader('Content-Length', 2 * MIB)
    const results = [await transferFile(res, file.path, { endDestination: false })]
    const { end } = res
    res.end = function (...args) {
      ends++
      return end.apply(this, args)
    }
    return [...results, await transferFile(res, file.path)]
  })
  assertBytes((await get(t, port)).body, Buffer.concat([file.bytes, file.bytes]))
  for (const result of await calls[0]) assertNative(result)
  assert.equal(ends, 1)
})

/** A connection that is no socket, for who builds on anything else: a tunnel, a test. */
function throughDuplex (socket) {
  const duplex = new Duplex({
    read () { socket.resume() },
    write (chunk, encoding, callback) { socket.write(chunk, encoding, callback) },
    final (callback) {
      socket.end()
      callback()
    },
    destroy (err, callback) {
      socket.destroy()
      callback(err)
    }
  })
  socket.on('data', (chunk) => { if (!duplex.push(chunk)) socket.pause() })
  socket.on('end', () => duplex.push(null))
  socket.on('close', () => duplex.destroy())
  socket.on('error', () => {}) // 'close' follows
  return duplex.on('error', () => {})
}

test('a response on a connection that is no socket is copied', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const { server, calls } = await serve(t, (req, res) => {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
      return transferFile(res, file.path)
    })
    const listener = net.createServer((socket) => server.emit('connection', throughDuplex(socket)))
    t.after(() => listener.close())
    await once(listener.listen(0, HOST), 'listening')
    const answers = answersIn(await exchange(t, listener.address().port, ask('/', { last: false }), ask()))
    assert.equal(answers.length, 2)
    for (const { body } of answers) assertBytes(body, file.bytes)
    for (const result of await Promise.all(calls)) assertCopied(result, 'not-a-socket')
    await untilReleased(file.path)
  }
})

test('an upload over a connection that is no socket is copied', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port } = await serve(t, (req, res) => req.pipe(res))
  const createConnection = () => throughDuplex(connect(t, port))
  const request = http.request({ method: 'PUT', host: HOST, port, createConnection })
  const answered = answerOf(request)
  assertCopied(await transferFile(request, file.path), 'not-a-socket')
  assertBytes((await answered).body, file.bytes)
  await untilReleased(file.path)
})

test('zeroCopy: false copies, and says that it was switched off', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path, { zeroCopy: false, start: 5 }))
  const before = stats()
  assertBytes((await get(t, port)).body, file.bytes.subarray(5))
  assertCopied(await calls[0], 'disabled')
  assert.equal(stats().bytes.copied - before.bytes.copied, file.bytes.length - 5)
})

test('HTTPS is copied, because of TLS', async (t) => {
  for (const size of [0, 1000, 5 * MIB]) {
    const file = temporaryFile(t, size)
    const { port, calls } = await serveTls(t, (req, res) => transferFile(res, file.path))
    const { headers, body } = await answerOf(getTls(t, port).end())
    assert.equal(headers['content-length'], String(size))
    assertBytes(body, file.bytes)
    const result = await calls[0]
    assert.equal(result.bytesSent, size)
    if (size > 0) assertCopied(result, 'tls')
    await untilReleased(file.path)
  }
})

test('HTTPS: several requests on one connection, with writes before and after, chunked', async (t) => {
  const file = temporaryFile(t, MIB)
  const { server, port } = await serveTls(t, async (req, res) => {
    res.write('before')
    await transferFile(res, file.path, { endDestination: false })
    res.end('after')
  })
  let connections = 0
  server.on('secureConnection', () => connections++)
  const agent = new https.Agent({ ca: certificate.cert, keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  for (let i = 0; i < 5; i++) {
    const { body } = await answerOf(getTls(t, port, '/', { agent }).end())
    assertBytes(body, Buffer.concat([Buffer.from('before'), file.bytes, Buffer.from('after')]))
  }
  assert.equal(connections, 1)
})

test('HTTPS: a file that is truncated meanwhile ends the connection', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serveTls(t, (req, res) => transferFile(res, file.path))
  const request = getTls(t, port).end()
  const [response] = await once(request, 'response')
  response.on('error', () => {})
  await untilStalled([...sockets][0])
  fs.truncateSync(file.path, 0)
  let length = 0
  response.on('data', (chunk) => { length += chunk.length })
  await new Promise((resolve) => response.once('close', resolve))
  const { err } = await outcome(calls[0])
  assert.equal(err.code, 'ERR_SENDFILE_TRUNCATED')
  assert.ok(err.bytesSent > 0 && err.bytesSent < LARGE)
  assert.ok(length < LARGE)
  assert.equal(response.complete, false)
  await untilReleased(file.path)
})

test('HTTPS: an abort, or a client that goes, in the middle rejects with bytesSent and leaves nothing', async (t) => {
  const file = temporaryFile(t, LARGE)
  for (const who of ['signal', 'client']) {
    const controller = new AbortController()
    const { signal } = controller
    const { port, calls, sockets } = await serveTls(t, (req, res) => transferFile(res, file.path, { signal }))
    const request = getTls(t, port).end()
    request.on('error', () => {})
    const [response] = await once(request, 'response')
    response.on('error', () => {})
    await untilStalled([...sockets][0])
    if (who === 'signal') controller.abort()
    else response.destroy()
    const { err } = await outcome(calls[0])
    assert.equal(err.name, who === 'signal' ? 'AbortError' : 'Error')
    assert.ok(err.bytesSent > 0 && err.bytesSent < LARGE)
    response.resume()
    await until(() => sockets.size === 0)
    await untilReleased(file.path)
  }
})

test('a response over HTTP/2 is copied, because of HTTP/2', async (t) => {
  for (const size of [0, 1000, 5 * MIB]) {
    const file = temporaryFile(t, size)
    const { client, calls } = await serveHttp2(t, (req, res) => {
      res.setHeader('x-own', 'yes')
      return transferFile(res, file.path, { end: size + 10 })
    })
    for (let i = 0; i < 2; i++) {
      const { headers, body } = await getHttp2(client)
      assert.equal(headers['x-own'], 'yes')
      assertBytes(body, file.bytes)
      const result = await calls[i]
      assert.equal(result.bytesSent, size)
      if (size > 0) assertCopied(result, 'http2')
    }
    await untilReleased(file.path)
  }
})

test('HTTP/2: HEAD has no body and leaves nothing', async (t) => {
  const file = temporaryFile(t, 300_000)
  const { client, calls } = await serveHttp2(t, (req, res) => transferFile(res, file.path))
  const { status, body } = await getHttp2(client, { ':method': 'HEAD' })
  assert.equal(status, 200)
  assert.equal(body.length, 0)
  assert.equal((await calls[0]).bytesSent, 0)
  await untilReleased(file.path)
})

test('HTTP/2: what cannot be opened leaves the response free for a 404', async (t) => {
  const missing = `${temporaryFolder(t)}/missing`
  const { client } = await serveHttp2(t, async (req, res) => {
    await assert.rejects(transferFile(res, missing), { code: 'ENOENT', bytesSent: 0 })
    res.writeHead(404)
    res.end('not here')
  })
  const { status, body } = await getHttp2(client)
  assert.equal(status, 404)
  assert.equal(String(body), 'not here')
})

test('HTTP/2: a client that resets its stream rejects the call, and its other streams go on', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { client, calls } = await serveHttp2(t, (req, res) => transferFile(res, file.path))
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => {})
  await once(stream, 'response')
  await turns(100)
  stream.close(http2.constants.NGHTTP2_CANCEL)
  const { err } = await outcome(calls[0])
  assert.ok(err.bytesSent >= 0 && err.bytesSent < file.bytes.length)
  assertBytes((await getHttp2(client)).body, file.bytes)
  await untilReleased(file.path)
})

const refusals = {
  wrapped: async (t, handler) => {
    const { port } = await serve(t, (req, res) => {
      compress(res)
      return handler(req, res)
    })
    const answer = await get(t, port)
    return { ...answer, body: zlib.gunzipSync(answer.body) }
  },
  http2: async (t, handler) => getHttp2((await serveHttp2(t, handler)).client),
  tls: async (t, handler) => answerOf(getTls(t, (await serveTls(t, handler)).port).end())
}
for (const [reason, answer] of Object.entries(refusals)) {
  test(`fallback: false refuses to copy (${reason}), and the response is free for a 500`, async (t) => {
    const file = temporaryFile(t, 100_000)
    const assertNothingCopied = watchCopies()
    const { status, body } = await answer(t, async (req, res) => {
      const { err } = await outcome(transferFile(res, file.path, { fallback: false }))
      res.statusCode = 500
      const { code, bytesSent } = err
      res.end(JSON.stringify({ code, reason: err.reason, bytesSent }))
    })
    assert.equal(status, 500)
    assert.deepEqual(JSON.parse(body), {
      code: 'ERR_SENDFILE_UNAVAILABLE', reason: isNative ? reason : 'disabled', bytesSent: 0
    })
    assertNothingCopied()
    await untilReleased(file.path)
  })
}

test('fallback: false with zeroCopy: false refuses too', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port } = await serve(t, async (req, res) => {
    const { err } = await outcome(transferFile(res, file.path, { fallback: false, zeroCopy: false }))
    assert.equal(err.code, 'ERR_SENDFILE_UNAVAILABLE')
    assert.equal(err.reason, 'disabled')
    res.writeHead(500).end()
  })
  assert.equal((await get(t, port)).status, 500)
})

test('fallback: false sends where it can', { skip: !isNative }, async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path, { fallback: false }))
  assertBytes((await get(t, port)).body, file.bytes)
  assertNative(await calls[0])
})
