'use strict'

// transferFile as the body of an http.ServerResponse: head, framing and order on the wire.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { stats, transferFile } = require('sendfile-native')
const { MIB, temporaryFile, test, until } = require('./helpers')
const {
  HOST, answersIn, ask, assertBytes, assertNative, connect, exchange, get, held, isNative, readAll, serve,
  untilReleased, watchCopies
} = require('./helpers/http')

const KIB = 1024

test('a response gets Content-Length, and the file as its body', async (t) => {
  const assertNothingCopied = watchCopies()
  for (const size of [1, 1000, 64 * KIB, 64 * KIB + 1, MIB, 9 * MIB]) {
    const file = temporaryFile(t, size)
    const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
    const { status, headers, body } = await get(t, port)
    assert.equal(status, 200)
    assert.equal(headers['content-length'], String(size))
    assert.equal(headers['transfer-encoding'], undefined)
    assertBytes(body, file.bytes)
    const result = await calls[0]
    assert.equal(result.bytesSent, size)
    assert.equal(result.changed, false)
    assertNative(result)
    await untilReleased(file.path)
  }
  assertNothingCopied()
})

test('natively the bytes of the body are counted as sent, none as copied', { skip: !isNative }, async (t) => {
  const file = temporaryFile(t, 5 * MIB)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const before = stats()
  await get(t, port)
  await calls[0]
  const after = stats()
  const sent = (name) => after.bytes[name] - before.bytes[name]
  assert.equal(sent('copied'), 0)
  assert.ok(sent('sendfile') + sent('send') >= file.bytes.length)
  assert.ok(sent('sendfile') > file.bytes.length / 2, 'by sendfile(2)')
  assert.deepEqual(after.fallbacks, before.fallbacks)
})

test('a path may be a string, a Buffer or a URL; a descriptor or FileHandle stays open, its position unmoved', async (t) => {
  const { bytes, path } = temporaryFile(t, 300 * KIB)
  const handle = await fs.promises.open(path)
  t.after(() => handle.close())
  await handle.read(Buffer.alloc(10), 0, 10, null)
  for (const file of [path, Buffer.from(path), new URL(`file://${path}`), handle, handle.fd]) {
    const { port } = await serve(t, (req, res) => transferFile(res, file))
    assertBytes((await get(t, port)).body, bytes)
  }
  await until(() => held(path) === 1)
  const { buffer } = await handle.read(Buffer.alloc(10), 0, 10, null)
  assertBytes(buffer, bytes.subarray(10, 20), 'what follows the position that it had')
})

test('a descriptor that the caller closes right after the call is sent whole', async (t) => {
  const file = temporaryFile(t, 2 * MIB)
  const { port } = await serve(t, (req, res) => {
    const fd = fs.openSync(file.path)
    const call = transferFile(res, fd)
    fs.closeSync(fd)
    return call
  })
  assertBytes((await get(t, port)).body, file.bytes)
  await untilReleased(file.path)
})

test('the status and the headers that the caller set stay', async (t) => {
  const file = temporaryFile(t, 5000)
  const { port } = await serve(t, (req, res) => {
    res.statusCode = 206
    res.statusMessage = 'Some Of It'
    res.setHeader('content-LENGTH', 1000)
    res.setHeader('Content-Range', 'bytes 0-999/5000')
    res.setHeader('X-Twice', ['one', 'two'])
    res.sendDate = false
    return transferFile(res, file.path, { end: 999 })
  })
  const bytes = await exchange(t, port, ask())
  assert.ok(bytes.toString('latin1').startsWith('HTTP/1.1 206 Some Of It\r\n'))
  const [{ fields, body }] = answersIn(bytes)
  assert.deepEqual(fields.filter((field) => !/^connection:/i.test(field)),
    ['content-LENGTH: 1000', 'Content-Range: bytes 0-999/5000', 'X-Twice: one', 'X-Twice: two'])
  assertBytes(body, file.bytes.subarray(0, 1000))
})

test('a head that writeHead gave with its length is left as it is', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port, calls } = await serve(t, (req, res) => {
    res.writeHead(203, { 'Content-Length': file.bytes.length, 'X-Own': 'yes' })
    return transferFile(res, file.path)
  })
  const [first, second] = answersIn(await exchange(t, port, ask('/', { last: false }), ask()))
  for (const { status, headers, body } of [first, second]) {
    assert.equal(status, 203)
    assert.equal(headers['x-own'], 'yes')
    assertBytes(body, file.bytes)
  }
  assertNative(await calls[1])
})

test('Transfer-Encoding: chunked, set by the caller, frames the file', async (t) => {
  const assertNothingCopied = watchCopies()
  for (const size of [1, 20 * KIB, 3 * MIB]) {
    const file = temporaryFile(t, size)
    const { port, calls } = await serve(t, (req, res) => {
      res.setHeader('Transfer-Encoding', 'chunked')
      return transferFile(res, file.path)
    })
    const [first, second] = answersIn(await exchange(t, port, ask('/', { last: false }), ask()))
    for (const { headers, body, chunks } of [first, second]) {
      assert.equal(headers['content-length'], undefined)
      assert.ok(chunks.length > 0)
      assertBytes(body, file.bytes)
    }
    assertNative(await calls[1])
  }
  assertNothingCopied()
})

test('a head without a length that went out before makes the file chunked', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port, calls } = await serve(t, (req, res) => {
    res.writeHead(200, { 'X-Own': 'yes' })
    if (req.url === '/flushed') res.flushHeaders()
    return transferFile(res, file.path)
  })
  const answers = answersIn(await exchange(t, port, ask('/', { last: false }), ask('/flushed')))
  assert.equal(answers.length, 2)
  for (const { headers, body, chunks } of answers) {
    assert.equal(headers['x-own'], 'yes')
    assert.ok(chunks.length > 0)
    assertBytes(body, file.bytes)
  }
  assertNative(await calls[1])
})

test('what is written before and after goes out around the file, in order, chunked', async (t) => {
  const assertNothingCopied = watchCopies()
  for (const size of [100, 3 * MIB]) {
    const file = temporaryFile(t, size)
    const { port } = await serve(t, async (req, res) => {
      res.write('before, ')
      res.write('and ')
      const result = await transferFile(res, file.path, { endDestination: false })
      assertNative(result)
      assert.equal(result.bytesSent, size)
      assert.equal(res.writableEnded, false)
      res.write(' between ')
      await transferFile(res, file.path, { endDestination: false })
      res.end(' after')
    })
    const { body } = await get(t, port)
    assertBytes(body, Buffer.concat([Buffer.from('before, and '), file.bytes, Buffer.from(' between '), file.bytes, Buffer.from(' after')]))
  }
  assertNothingCopied()
})

test('a response that goes on after the file promises no length', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port } = await serve(t, async (req, res) => {
    await transferFile(res, file.path, { endDestination: false })
    await transferFile(res, file.path, { endDestination: false })
    res.end('after')
  })
  const expected = Buffer.concat([file.bytes, file.bytes, Buffer.from('after')])
  for (const version of ['1.1', '1.0']) {
    const { headers, body } = await get(t, port, '/', { version })
    assert.equal(headers['content-length'], undefined)
    assertBytes(body, expected)
  }
})

test('what is written before and after goes out around the file, in order, under a Content-Length', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port } = await serve(t, async (req, res) => {
    res.setHeader('Content-Length', file.bytes.length + 11)
    res.strictContentLength = true
    res.write('before')
    await transferFile(res, file.path, { endDestination: false })
    res.end('after')
  })
  const [first, second] = answersIn(await exchange(t, port, ask('/', { last: false }), ask()))
  const expected = Buffer.concat([Buffer.from('before'), file.bytes, Buffer.from('after')])
  assertBytes(first.body, expected)
  assertBytes(second.body, expected)
})

test('a corked response sends in order', async (t) => {
  const file = temporaryFile(t, 2 * MIB)
  const { port } = await serve(t, async (req, res) => {
    res.cork()
    res.write('before')
    const call = transferFile(res, file.path, { endDestination: false })
    setImmediate(() => res.uncork())
    await call
    res.end('after')
  })
  const { body } = await get(t, port)
  assertBytes(body, Buffer.concat([Buffer.from('before'), file.bytes, Buffer.from('after')]))
})

test('the trailers of a chunked response follow the file', async (t) => {
  const file = temporaryFile(t, 100 * KIB)
  const { port } = await serve(t, async (req, res) => {
    res.writeHead(200, { Trailer: 'X-Sum' })
    await transferFile(res, file.path, { endDestination: false })
    res.addTrailers({ 'X-Sum': '42' })
    res.end()
  })
  const bytes = await exchange(t, port, ask())
  assert.ok(bytes.subarray(-100).toString('latin1').endsWith('\r\n0\r\nX-Sum: 42\r\n\r\n'))
})

test('a length that a replaced writeHead puts into the head is kept to', async (t) => {
  const file = temporaryFile(t, 300 * KIB)
  for (const zeroCopy of [true, false]) {
    const { port, calls } = await serve(t, (req, res) => {
      const { writeHead } = res
      res.writeHead = function (...args) {
        this.setHeader('Content-Length', 3)
        return writeHead.apply(this, args)
      }
      return transferFile(res, file.path, { zeroCopy }).finally(() => res.destroy())
    })
    assert.equal((await exchange(t, port, ask())).length, 0)
    await assert.rejects(calls[0], { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH', bytesSent: 0 })
  }
})

test('a response that announces trailers is chunked', async (t) => {
  const file = temporaryFile(t, 300 * KIB)
  for (const zeroCopy of [true, false]) {
    const { port } = await serve(t, (req, res) => {
      res.setHeader('Trailer', 'X-Sum')
      if (req.url === '/sum') res.addTrailers({ 'X-Sum': '42' })
      return transferFile(res, file.path, { zeroCopy })
    })
    const { status, headers, body } = await get(t, port)
    assert.deepEqual([status, headers['content-length'], headers['transfer-encoding']], [200, undefined, 'chunked'])
    assertBytes(body, file.bytes)
    const bytes = await exchange(t, port, ask('/sum'))
    assert.ok(bytes.subarray(-100).toString('latin1').endsWith('\r\n0\r\nX-Sum: 42\r\n\r\n'))
  }
})

test('HTTP/1.0 gets the length and the file, then the end', async (t) => {
  const file = temporaryFile(t, 2 * MIB)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const { headers, body } = await get(t, port, '/', { version: '1.0' })
  assert.equal(headers['content-length'], String(file.bytes.length))
  assert.equal(headers['transfer-encoding'], undefined)
  assertBytes(body, file.bytes)
  assertNative(await calls[0])
})

test('HTTP/1.0 with bytes before the file: not chunked, up to the end of the connection', async (t) => {
  const file = temporaryFile(t, 2 * MIB)
  const { port } = await serve(t, (req, res) => {
    res.write('before')
    return transferFile(res, file.path)
  })
  const { headers, body } = await get(t, port, '/', { version: '1.0' })
  assert.equal(headers['content-length'], undefined)
  assert.equal(headers['transfer-encoding'], undefined)
  assertBytes(body, Buffer.concat([Buffer.from('before'), file.bytes]))
})

test('HEAD, 204 and 304 have no body and leave no descriptor, 400 times each', async (t) => {
  const file = temporaryFile(t, 100 * KIB)
  const { port, calls } = await serve(t, (req, res) => {
    res.statusCode = Number(req.url.slice(1))
    return transferFile(res, file.path)
  })
  for (const [method, status] of [['HEAD', 200], ['GET', 204], ['GET', 304]]) {
    calls.length = 0
    const requests = Array.from({ length: 400 }, (_, i) => ask(`/${status}`, { method, last: i === 399 }))
    const answers = answersIn(await exchange(t, port, ...requests), Array(400).fill(method))
    assert.deepEqual(answers.map((answer) => answer.status), Array(400).fill(status))
    assert.equal(answers[0].headers['transfer-encoding'], undefined)
    if (method === 'HEAD') assert.equal(answers[0].headers['content-length'], String(file.bytes.length))
    if (status === 204) assert.equal(answers[0].headers['content-length'], undefined)
    for (const { bytesSent } of await Promise.all(calls)) assert.equal(bytesSent, 0)
    await untilReleased(file.path)
  }
})

test('HEAD with a head that is chunked, or was sent before, has no body', async (t) => {
  const file = temporaryFile(t, 100 * KIB)
  const { port, calls } = await serve(t, (req, res) => {
    if (req.url === '/chunked') res.setHeader('Transfer-Encoding', 'chunked')
    else res.writeHead(200)
    return transferFile(res, file.path)
  })
  const methods = ['HEAD', 'HEAD']
  const bytes = await exchange(t, port, ask('/chunked', { method: 'HEAD', last: false }), ask('/sent', { method: 'HEAD' }))
  assert.equal(answersIn(bytes, methods).length, 2)
  await Promise.all(calls)
  await untilReleased(file.path)
})

test('an empty file is an empty body', async (t) => {
  const file = temporaryFile(t, '')
  const { port, calls } = await serve(t, (req, res) => {
    if (req.url === '/chunked') res.setHeader('Transfer-Encoding', 'chunked')
    return transferFile(res, file.path)
  })
  const requests = ['/', '/chunked', '/'].map((path, i) => ask(path, { last: i === 2 }))
  const answers = answersIn(await exchange(t, port, ...requests))
  assert.deepEqual(answers.map(({ body }) => body.length), [0, 0, 0])
  assert.deepEqual(answers.map(({ headers }) => headers['content-length']), ['0', undefined, '0'])
  for (const result of await Promise.all(calls)) {
    assert.equal(result.bytesSent, 0)
    assertNative(result)
  }
  await untilReleased(file.path)
})

test('an empty file between other bytes leaves the response open', async (t) => {
  const file = temporaryFile(t, '')
  const { port } = await serve(t, async (req, res) => {
    res.write('before')
    await transferFile(res, file.path, { endDestination: false })
    res.end('after')
  })
  assert.equal(String((await get(t, port)).body), 'beforeafter')
})

test('start and end are the first and last byte; beyond the end of the file is its end', async (t) => {
  const size = 200 * KIB
  const file = temporaryFile(t, size)
  const ranges = [
    { start: 0, end: 0 }, { start: 5 }, { end: 9 }, { start: 100, end: 199 }, { start: 4097, end: 150_000 },
    { start: size - 1 }, { start: size - 3, end: size - 1 }, { start: 1, end: size }, { end: size * 2 },
    { start: 3, end: Number.MAX_SAFE_INTEGER }, { start: size }, { start: size + 1 },
    { start: size * 2, end: size * 3 }, { start: Number.MAX_SAFE_INTEGER }
  ]
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path, ranges[Number(req.url.slice(1))]))
  const requests = ranges.map((_, i) => ask(`/${i}`, { last: i === ranges.length - 1 }))
  const answers = answersIn(await exchange(t, port, ...requests))
  assert.equal(answers.length, ranges.length)
  for (const [i, { start = 0, end = Infinity }] of ranges.entries()) {
    const expected = file.bytes.subarray(start, end + 1)
    assert.equal(answers[i].headers['content-length'], String(expected.length))
    assertBytes(answers[i].body, expected, `bytes ${start} to ${end}`)
    assert.equal((await calls[i]).bytesSent, expected.length)
  }
  await untilReleased(file.path)
})

test('50 requests on one connection, each after the answer to the one before', async (t) => {
  const assertNothingCopied = watchCopies()
  const files = [1, 1000, 70 * KIB, MIB].map((size) => temporaryFile(t, size))
  const { server, port } = await serve(t, (req, res) => transferFile(res, files[Number(req.url.slice(1))].path))
  let connections = 0
  server.on('connection', () => connections++)
  const client = connect(t, port)
  for (let i = 0; i < 50; i++) {
    const file = files[i % files.length]
    client.write(ask(`/${i % files.length}`, { last: false }))
    const [first] = await once(client, 'data')
    const whole = first.indexOf('\r\n\r\n') + 4 + file.bytes.length
    const chunks = [first]
    for (let n = first.length; n < whole;) {
      const [chunk] = await once(client, 'data')
      chunks.push(chunk)
      n += chunk.length
    }
    assertBytes(answersIn(Buffer.concat(chunks))[0].body, file.bytes)
  }
  assert.equal(connections, 1)
  assertNothingCopied()
  for (const file of files) await untilReleased(file.path)
})

test('pipelined requests for files and for small answers are answered in order', async (t) => {
  const assertNothingCopied = watchCopies()
  const files = [10, 100 * KIB, 3 * MIB].map((size) => temporaryFile(t, size))
  const { port, calls } = await serve(t, (req, res) => {
    const [, kind, which] = /^\/(\w+)(\d)$/.exec(req.url)
    if (kind === 'small') return res.end(`small ${which}`)
    if (kind === 'late') return setImmediate(() => res.end(`late ${which}`))
    if (kind === 'chunked') res.setHeader('Transfer-Encoding', 'chunked')
    return transferFile(res, files[which].path)
  })
  const kinds = ['file2', 'small0', 'file0', 'chunked1', 'late1', 'file1', 'chunked2', 'file2', 'small2', 'file0']
  const paths = [...kinds, ...kinds, ...kinds]
  const requests = paths.map((path, i) => ask(`/${path}`, { last: i === paths.length - 1 }))
  const answers = answersIn(await exchange(t, port, ...requests))
  assert.equal(answers.length, paths.length)
  for (const [i, path] of paths.entries()) {
    const [, kind, which] = /^(\w+)(\d)$/.exec(path)
    const expected = kind === 'small' || kind === 'late' ? Buffer.from(`${kind} ${which}`) : files[which].bytes
    assertBytes(answers[i].body, expected, path)
  }
  for (const result of await Promise.all(calls)) assertNative(result)
  assertNothingCopied()
  for (const file of files) await untilReleased(file.path)
})

test('100 pipelined transfers warn of nothing', async (t) => {
  const file = temporaryFile(t, 1000)
  const warnings = []
  const warn = (warning) => warnings.push(warning.message)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const requests = Array.from({ length: 100 }, (_, i) => ask('/', { last: i === 99 }))
  for (const { body } of answersIn(await exchange(t, port, ...requests))) assertBytes(body, file.bytes)
  await Promise.all(calls)
  assert.deepEqual(warnings, [])
})

test('a path is opened when its response owns the connection, not before', async (t) => {
  const first = temporaryFile(t, 24 * MIB)
  const second = temporaryFile(t, 1000)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, req.url === '/1' ? first.path : second.path))
  const client = connect(t, port)
  client.write(ask('/1', { last: false }) + ask('/2', { last: false }) + ask('/3'))
  await until(() => calls.length === 3 && held(first.path) === 1)
  assert.equal(held(second.path), 0)
  const answers = answersIn(await readAll(client))
  assertBytes(answers[0].body, first.bytes)
  assertBytes(answers[2].body, second.bytes)
})

test('strictContentLength takes the file for what it is', async (t) => {
  const file = temporaryFile(t, 2 * MIB)
  const { port, calls } = await serve(t, (req, res) => {
    res.strictContentLength = true
    if (req.url === '/own') res.setHeader('Content-Length', file.bytes.length)
    return transferFile(res, file.path)
  })
  const answers = answersIn(await exchange(t, port, ask('/', { last: false }), ask('/own')))
  for (const { body } of answers) assertBytes(body, file.bytes)
  assertNative(await calls[1])
})

test('strictContentLength with another length than the file\'s rejects, and what is too long sends nothing', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port, calls } = await serve(t, (req, res) => {
    res.strictContentLength = true
    res.setHeader('Content-Length', req.url.slice(1))
    return transferFile(res, file.path)
  })
  for (const [length, bytesSent] of [[999, 0], [1001, 1000]]) {
    calls.length = 0
    const client = connect(t, port)
    client.write(ask(`/${length}`))
    client.resume()
    await until(() => calls.length === 1)
    await assert.rejects(calls[0], { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH', bytesSent })
    await untilReleased(file.path)
  }
})

test('a file shorter than the Content-Length that was promised ends the connection', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port, calls } = await serve(t, (req, res) => {
    if (req.url === '/2') return res.end('the second answer')
    res.setHeader('Content-Length', 2000)
    return transferFile(res, file.path)
  })
  const bytes = await exchange(t, port, ask('/1', { last: false }), ask('/2'))
  assert.ok(!bytes.includes('the second answer'), 'which would be in the body of the first')
  await assert.rejects(calls[0], { code: 'ERR_SENDFILE_TRUNCATED' })
  await untilReleased(file.path)
})

test('a head of several MB comes before the file, to a client that reads slowly', async (t) => {
  const file = temporaryFile(t, MIB)
  const padding = 'p'.repeat(4 * MIB)
  const { port } = await serve(t, (req, res) => {
    res.setHeader('X-Padding', padding)
    return transferFile(res, file.path)
  })
  for (let round = 0; round < 3; round++) {
    const client = connect(t, port)
    client.write(ask())
    await once(client, 'readable')
    const { headers, body } = answersIn(await readSlowly(client, 64 * KIB))[0]
    assert.equal(headers['x-padding'].length, padding.length)
    assertBytes(body, file.bytes)
  }
})

test('16 MB written before come before the file, to a client that reads slowly', async (t) => {
  const assertNothingCopied = watchCopies()
  const file = temporaryFile(t, 3 * MIB)
  const before = Buffer.alloc(16 * MIB, 'before')
  const { port } = await serve(t, (req, res) => {
    if (req.url === '/length') res.setHeader('Content-Length', before.length + file.bytes.length)
    res.write(before)
    return transferFile(res, file.path)
  })
  for (const path of ['/length', '/chunked', '/length']) {
    const client = connect(t, port)
    client.write(ask(path))
    await once(client, 'readable')
    const { body } = answersIn(await readSlowly(client, 256 * KIB))[0]
    assertBytes(body, Buffer.concat([before, file.bytes]))
  }
  assertNothingCopied()
})

test('a client that reads slowly gets the file and then the next answer', async (t) => {
  const file = temporaryFile(t, 12 * MIB)
  const { port, calls } = await serve(t, (req, res) => {
    if (req.url === '/2') return res.end('the second answer')
    return transferFile(res, file.path)
  })
  const client = connect(t, port)
  client.write(ask('/1', { last: false }) + ask('/2'))
  await once(client, 'readable')
  const [first, second] = answersIn(await readSlowly(client, 128 * KIB))
  assertBytes(first.body, file.bytes)
  assert.equal(String(second.body), 'the second answer')
  assertNative(await calls[0])
})

test('one connection that is not read does not hold up others', async (t) => {
  const file = temporaryFile(t, 24 * MIB)
  const { port } = await serve(t, (req, res) => transferFile(res, file.path))
  const stalled = connect(t, port)
  stalled.write(ask())
  await until(() => held(file.path) === 1)
  for (let i = 0; i < 3; i++) assertBytes((await get(t, port)).body, file.bytes)
  assertBytes(answersIn(await readAll(stalled))[0].body, file.bytes)
})

test('an answer over a unix socket is native too', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { server, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const path = `${file.path}.socket`
  const unix = net.createServer((socket) => server.emit('connection', socket)).listen(path)
  t.after(() => unix.close())
  await once(unix, 'listening')
  const client = net.connect(path)
  t.after(() => client.destroy())
  client.write(ask())
  assertBytes(answersIn(await readAll(client))[0].body, file.bytes)
  assertNative(await calls[0])
  assert.equal(server.address().address, HOST)
})

/** Reads all of a stream in pieces of `size`, some turns of the loop between them. */
async function readSlowly (stream, size) {
  const chunks = []
  let ended = false
  stream.once('close', () => { ended = true })
  while (!ended) {
    const chunk = stream.read(Math.min(size, stream.readableLength)) ?? undefined
    if (chunk) chunks.push(chunk)
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return Buffer.concat(chunks)
}
