'use strict'

// Files as HTTP responses that break off: resets, aborts, truncation, what cannot be opened, and what is left.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { transferFile } = require('sendfile-native')
const { MIB, open, temporaryFile, temporaryFolder, test, turns, until } = require('./helpers')
const {
  answersIn, ask, assertBytes, assertPrefix, connect, exchange, get, held, outcome, readAll, serve,
  untilReleased, untilStalled
} = require('./helpers/http')

/** More than the two ends of a loopback connection hold: a client that does not read stalls it. */
const LARGE = 24 * MIB

test('200 clients that reset the connection in the middle: each call rejects with bytesSent, nothing stays open', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serve(t, (req, res) => transferFile(res, file.path))
  for (let batch = 0; batch < 10; batch++) {
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const client = connect(t, port)
      client.write(ask())
      await once(client, 'readable')
      if (i % 2 === 0) client.read()
      client.resetAndDestroy()
    }))
  }
  await until(() => calls.length === 200)
  for (const { err } of await Promise.all(calls.map(outcome))) {
    assert.ok(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(err.code), err.code)
    assert.ok(err.bytesSent >= 0 && err.bytesSent < file.bytes.length)
  }
  await untilReleased(file.path)
  await until(() => sockets.size === 0)
})

test('bytesSent of a call that fails covers at least what the client got', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serve(t, (req, res) => transferFile(res, file.path))
  const client = connect(t, port)
  client.write(ask())
  await once(client, 'readable')
  await untilStalled([...sockets][0])
  let received = 0
  for (let chunk; (chunk = client.read());) received += chunk.length
  client.resetAndDestroy()
  const { err } = await outcome(calls[0])
  assert.ok(err.bytesSent >= received - 1000, 'the head apart')
  assert.ok(err.bytesSent < file.bytes.length)
})

test('a client that goes with three answers pipelined: every call settles, nothing stays open', async (t) => {
  const files = [LARGE, 1000, LARGE].map((size) => temporaryFile(t, size))
  const { port, calls, sockets } = await serve(t, (req, res) => transferFile(res, files[req.url.slice(1)].path))
  for (const method of ['destroy', 'resetAndDestroy']) {
    calls.length = 0
    const client = connect(t, port)
    client.write(ask('/0', { last: false }) + ask('/1', { last: false }) + ask('/2'))
    await once(client, 'readable')
    await untilStalled([...sockets][0])
    assert.equal(calls.length, 3)
    client[method]()
    const [first, ...others] = await Promise.all(calls.map(outcome))
    assert.ok(first.err.bytesSent > 0)
    assert.deepEqual(others.map(({ err }) => err.bytesSent), [0, 0])
    for (const file of files) await untilReleased(file.path)
    await until(() => sockets.size === 0)
  }
})

test('a response whose connection is already gone rejects, and opens nothing', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port, calls } = await serve(t, async (req, res) => {
    if (req.url === '/first') {
      await once(res.socket, 'close')
    } else {
      await new Promise((resolve) => req.once('close', resolve))
      await turns(5)
    }
    return transferFile(res, file.path)
  })
  const client = connect(t, port)
  client.write(ask('/first', { last: false }) + ask('/behind'))
  await until(() => calls.length === 2)
  client.destroy()
  for (const { err } of await Promise.all(calls.map(outcome))) {
    assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
    assert.equal(err.bytesSent, 0)
  }
  assert.equal(held(file.path), 0)
})

test('a response that was ended, or destroyed, rejects', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port, calls } = await serve(t, (req, res) => {
    if (req.url === '/ended') res.end('ended')
    else res.destroy()
    return transferFile(res, file.path)
  })
  assert.equal(String((await get(t, port, '/ended')).body), 'ended')
  assert.equal((await exchange(t, port, ask('/destroyed'))).length, 0)
  for (const call of calls) await assert.rejects(call, { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
  assert.equal(held(file.path), 0)
})

test('destroying the response or its socket in the middle ends the call, and the peer sees the end', async (t) => {
  const file = temporaryFile(t, LARGE)
  const ends = [(res) => res.destroy(), (res) => res.socket.destroy(), (res) => res.socket.resetAndDestroy()]
  for (const end of ends) {
    let response
    const { port, calls, sockets } = await serve(t, (req, res) => transferFile(response = res, file.path))
    const client = connect(t, port)
    client.write(ask())
    await once(client, 'readable')
    await untilStalled([...sockets][0])
    end(response)
    await readAll(client)
    const { err } = await outcome(calls[0])
    assert.ok(err.bytesSent > 0 && err.bytesSent < file.bytes.length)
    await untilReleased(file.path)
  }
})

test('a file that is truncated meanwhile ends the connection: the next answer never lands in the body', async (t) => {
  for (const chunked of [false, true]) {
    const file = temporaryFile(t, LARGE)
    const { port, calls, sockets } = await serve(t, (req, res) => {
      if (req.url === '/2') return res.end('the second answer')
      if (chunked) res.setHeader('Transfer-Encoding', 'chunked')
      return transferFile(res, file.path)
    })
    const client = connect(t, port)
    client.write(ask('/1', { last: false }) + ask('/2'))
    await once(client, 'readable')
    await untilStalled([...sockets][0])
    fs.truncateSync(file.path, 0)
    const bytes = await readAll(client)
    const { err } = await outcome(calls[0])
    assert.equal(err.code, 'ERR_SENDFILE_TRUNCATED')
    assert.ok(err.bytesSent > 0 && err.bytesSent < file.bytes.length)
    assert.ok(!bytes.includes('the second answer'))
    if (!chunked) {
      const [{ body }] = answersIn(bytes)
      assertPrefix(body, file.bytes)
      assert.ok(body.length <= err.bytesSent)
    }
    await until(() => sockets.size === 0)
    await untilReleased(file.path)
  }
})

test('a file that grows meanwhile: exactly the length that was promised', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serve(t, (req, res) => {
    if (req.url === '/2') return res.end('the second answer')
    return transferFile(res, file.path)
  })
  const client = connect(t, port)
  client.write(ask('/1', { last: false }) + ask('/2'))
  await once(client, 'readable')
  await untilStalled([...sockets][0])
  fs.appendFileSync(file.path, Buffer.alloc(MIB))
  const [first, second] = answersIn(await readAll(client))
  assertBytes(first.body, file.bytes)
  assert.equal(String(second.body), 'the second answer')
  const result = await calls[0]
  assert.equal(result.bytesSent, LARGE)
  assert.equal(result.changed, true)
})

test('a file that is replaced or deleted meanwhile goes out as it was opened', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls, sockets } = await serve(t, (req, res) => transferFile(res, file.path))
  const client = connect(t, port)
  client.write(ask())
  await once(client, 'readable')
  await untilStalled([...sockets][0])
  fs.unlinkSync(file.path)
  fs.writeFileSync(file.path, 'another')
  assertBytes(answersIn(await readAll(client))[0].body, file.bytes)
  assert.equal((await calls[0]).bytesSent, LARGE)
  await untilReleased(file.path)
})

test('a signal that has already fired leaves the response untouched', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port } = await serve(t, async (req, res) => {
    const reason = new Error('no longer wanted')
    await assert.rejects(transferFile(res, file.path, { signal: AbortSignal.abort(reason) }), {
      name: 'AbortError', code: 'ABORT_ERR', cause: reason, bytesSent: 0
    })
    assert.equal(res.headersSent, false)
    assert.deepEqual(res.getHeaderNames(), [])
    res.writeHead(503).end('aborted')
  })
  const { status, body } = await get(t, port)
  assert.equal(status, 503)
  assert.equal(String(body), 'aborted')
  assert.equal(held(file.path), 0)
})

test('a signal that fires before the file is open leaves the response untouched', async (t) => {
  const file = temporaryFile(t, 1000)
  const { port } = await serve(t, async (req, res) => {
    const controller = new AbortController()
    const call = transferFile(res, file.path, { signal: controller.signal })
    controller.abort()
    await assert.rejects(call, { name: 'AbortError', bytesSent: 0 })
    assert.equal(res.headersSent, false)
    assert.deepEqual(res.getHeaderNames(), [])
    res.writeHead(503)
    await transferFile(res, file.path, { endDestination: false })
    res.end('aborted')
  })
  const { status, body } = await get(t, port)
  assert.equal(status, 503)
  assertBytes(body, Buffer.concat([file.bytes, Buffer.from('aborted')]))
  await untilReleased(file.path)
})

test('a signal that fires while earlier answers are sent leaves the response untouched, and them whole', async (t) => {
  const file = temporaryFile(t, LARGE)
  const controller = new AbortController()
  const { port, calls } = await serve(t, async (req, res) => {
    if (req.url === '/1') return transferFile(res, file.path)
    const { err } = await outcome(transferFile(res, file.path, { signal: controller.signal }))
    assert.equal(err.name, 'AbortError')
    assert.equal(err.bytesSent, 0)
    res.writeHead(503).end('aborted')
  })
  const client = connect(t, port)
  client.write(ask('/1', { last: false }) + ask('/2'))
  await until(() => calls.length === 2)
  await once(client, 'readable')
  controller.abort()
  const [first, second] = answersIn(await readAll(client))
  assertBytes(first.body, file.bytes)
  assert.equal(second.status, 503)
  assert.equal(String(second.body), 'aborted')
  await Promise.all(calls)
})

test('a signal that fires in the middle ends the connection there, with bytesSent', async (t) => {
  const file = temporaryFile(t, LARGE)
  const controller = new AbortController()
  let response
  const { port, calls, sockets } = await serve(t, (req, res) => {
    if (req.url === '/2') return res.end('the second answer')
    return transferFile(response = res, file.path, { signal: controller.signal })
  })
  const client = connect(t, port)
  client.write(ask('/1', { last: false }) + ask('/2'))
  await once(client, 'readable')
  await untilStalled([...sockets][0])
  controller.abort()
  const { err } = await outcome(calls[0])
  assert.equal(err.name, 'AbortError')
  assert.ok(err.bytesSent > 0 && err.bytesSent < LARGE)
  assert.equal(response.destroyed, true)
  const [{ body }, ...others] = answersIn(await readAll(client))
  assertPrefix(body, file.bytes)
  assert.ok(body.length <= err.bytesSent)
  assert.equal(others.length, 0)
  await until(() => sockets.size === 0)
  await untilReleased(file.path)
})

test('a signal that fires before the file had its turn ends the connection behind what was written before', async (t) => {
  const file = temporaryFile(t, 1000)
  const before = Buffer.alloc(16 * MIB, 'before')
  const controller = new AbortController()
  const { port, calls, sockets } = await serve(t, (req, res) => {
    res.setHeader('Content-Length', before.length + file.bytes.length)
    res.write(before)
    return transferFile(res, file.path, { signal: controller.signal })
  })
  const client = connect(t, port)
  client.write(ask())
  await once(client, 'readable')
  await untilStalled([...sockets][0])
  assert.equal(held(file.path), 1)
  controller.abort()
  const { err } = await outcome(calls[0])
  assert.equal(err.name, 'AbortError')
  assert.equal(err.bytesSent, 0)
  const [{ body }] = answersIn(await readAll(client))
  assertBytes(body, before, 'what was written before')
  await until(() => sockets.size === 0)
  await untilReleased(file.path)
})

test('a signal that fires while the bytes before a copied file leave: its number is read no more', async (t) => {
  const file = temporaryFile(t, MIB)
  const other = temporaryFile(t, Buffer.alloc(MIB, 'other'))
  // The second is more than the buffers of a connection hold.
  const before = [8 * MIB, 64 * MIB].map((size) => Buffer.alloc(size, 'before'))
  const length = before[0].length + before[1].length
  const controller = new AbortController()
  const { port, calls, sockets } = await serve(t, async (req, res) => {
    res.setHeader('Content-Length', length + file.bytes.length)
    const first = new Promise((resolve) => res.write(before[0], resolve))
    await turns(2)
    res.write(before[1]) // in one batch with the file, whose turn comes with it
    const call = transferFile(res, file.path, { zeroCopy: false, signal: controller.signal })
    await first
    return call
  })
  const client = connect(t, port)
  client.write(ask())
  const received = []
  client.on('data', (chunk) => received.push(chunk))
  await until(() => client.bytesRead > before[0].length)
  client.pause()
  await untilStalled([...sockets][0])
  controller.abort()
  await untilReleased(file.path)
  for (let n = 0; n < 10; n++) open(t, other.path) // its number is another file's now
  client.resume()
  await once(client, 'close')
  assert.equal((await outcome(calls[0])).err.name, 'AbortError')
  const [{ body }] = answersIn(Buffer.concat(received))
  assertBytes(body, Buffer.concat(before), 'what was written before')
})

test('a signal that fires after the end does nothing', async (t) => {
  const file = temporaryFile(t, MIB)
  const controller = new AbortController()
  const { port, calls } = await serve(t, async (req, res) => {
    const signal = req.url === '/1' ? controller.signal : undefined
    const result = await transferFile(res, file.path, { signal })
    controller.abort()
    return result
  })
  const answers = answersIn(await exchange(t, port, ask('/1', { last: false }), ask('/2')))
  assert.equal(answers.length, 2)
  for (const { body } of answers) assertBytes(body, file.bytes)
  for (const { bytesSent } of await Promise.all(calls)) assert.equal(bytesSent, file.bytes.length)
})

test('what cannot be opened rejects, and the response is free for a 404', async (t) => {
  const folder = temporaryFolder(t)
  const fifo = path.join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const cases = [
    [path.join(folder, 'missing'), 'ENOENT'], [folder, 'EISDIR'], [fifo, 'EINVAL'], ['/dev/zero', 'EINVAL'],
    [path.join(fifo, 'below'), 'ENOTDIR']
  ]
  const { port, calls } = await serve(t, async (req, res) => {
    const [file, code] = cases[Number(req.url.slice(1))]
    const { err } = await outcome(transferFile(res, file))
    assert.equal(err.code, code, file)
    assert.equal(err.path, file)
    assert.equal(err.syscall, 'open')
    assert.equal(err.bytesSent, 0)
    assert.equal(res.headersSent, false)
    assert.deepEqual(res.getHeaderNames(), [])
    res.writeHead(404).end('not here')
  })
  const requests = cases.map((_, i) => ask(`/${i}`, { last: i === cases.length - 1 }))
  const answers = answersIn(await exchange(t, port, ...requests))
  assert.deepEqual(answers.map(({ status }) => status), cases.map(() => 404))
  assert.deepEqual(answers.map(({ body }) => String(body)), cases.map(() => 'not here'))
  await Promise.all(calls)
})
