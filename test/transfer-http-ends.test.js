'use strict'

// How a file as an HTTP response ends: events, aborts, resets, truncation, time-outs, and what is left.

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const { createReadStream } = fs
const path = require('node:path')
const { transferFile } = require('sendfile-native')
const { MIB, temporaryFile, temporaryFolder, test, turns, until } = require('./helpers')
const {
  HOST, answersIn, ask, assertBytes, assertNative, assertPrefix, connect, exchange, get, held, outcome, readAll, serve,
  untilReleased, untilStalled, watchCopies
} = require('./helpers/http')

/** More than the two ends of a loopback connection hold: a client that does not read stalls it. */
const LARGE = 24 * MIB

test('prefinish, finish and close come in the order of a ReadStream piped to the response', async (t) => {
  for (const size of [0, 1000, 300_000, LARGE]) {
    for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
      const file = temporaryFile(t, size)
      const events = { '/piped': [], '/sent': [] }
      const { port } = await serve(t, (req, res) => {
        for (const name of ['prefinish', 'finish', 'close', 'error']) res.on(name, () => events[req.url].push(name))
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
        if (req.url === '/sent') return transferFile(res, file.path)
        createReadStream(file.path).pipe(res)
      })
      for (const url of ['/piped', '/sent']) {
        assertBytes((await get(t, port, url)).body, file.bytes)
        await until(() => events[url].includes('close'))
      }
      assert.deepEqual(events['/sent'], events['/piped'], `${size} bytes`)
    }
  }
})

test('the promise settles before or with finish of an ended response, never without it', async (t) => {
  const file = temporaryFile(t, MIB)
  const { port, calls } = await serve(t, async (req, res) => {
    const finished = once(res, 'finish')
    await transferFile(res, file.path)
    await finished
    assert.equal(res.writableFinished, true)
  })
  await get(t, port)
  await calls[0]
})

test('server.close() right after the client has the whole body does not wait for the connection', async (t) => {
  for (const size of [1000, 100_000, 8 * MIB]) {
    for (let round = 0; round < 5; round++) {
      const file = temporaryFile(t, size)
      const { server, port } = await serve(t, (req, res) => transferFile(res, file.path), { keepAliveTimeout: 600_000 })
      const client = connect(t, port)
      client.write(ask('/', { last: false }))
      let missing = 0
      await new Promise((resolve) => client.on('data', (chunk) => {
        if (missing === 0) missing = file.bytes.length + chunk.indexOf('\r\n\r\n') + 4
        missing -= chunk.length
        if (missing > 0) return
        server.close(resolve)
        server.closeIdleConnections() // close() does so from Node 19 on
      }))
    }
  }
})

test('a client that half-closes during the answer gets all of it', async (t) => {
  const assertNothingCopied = watchCopies()
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const client = connect(t, port, { allowHalfOpen: true })
  client.write(ask('/', { last: false }))
  await once(client, 'readable')
  client.end()
  await turns(50)
  assertBytes(answersIn(await readAll(client))[0].body, file.bytes)
  assertNative(await calls[0])
  assertNothingCopied()
})

test('a client that half-closes with its request gets all of the answer where the server allows it', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { server, port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  server.httpAllowHalfOpen = true
  const client = connect(t, port, { allowHalfOpen: true })
  client.end(ask('/', { last: false }))
  assertBytes(answersIn(await readAll(client))[0].body, file.bytes)
  assertNative(await calls[0])
})

test('a client that half-closes with its request leaves nothing where the server does not allow it', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path))
  const client = connect(t, port, { allowHalfOpen: true })
  client.end(ask())
  await readAll(client)
  await until(() => calls.length === 1)
  await outcome(calls[0])
  await untilReleased(file.path)
})

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
  const { port, calls } = await serve(t, (req, res) => transferFile(res, files[Number(req.url.slice(1))].path))
  for (const method of ['destroy', 'resetAndDestroy']) {
    calls.length = 0
    const client = connect(t, port)
    client.write(ask('/0', { last: false }) + ask('/1', { last: false }) + ask('/2'))
    await once(client, 'readable')
    await until(() => calls.length === 3)
    client[method]()
    const [first, ...others] = await Promise.all(calls.map(outcome))
    assert.ok(first.err.bytesSent > 0)
    assert.deepEqual(others.map(({ err }) => err.bytesSent), [0, 0])
    for (const file of files) await untilReleased(file.path)
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
    const { port, calls } = await serve(t, (req, res) => transferFile(response = res, file.path))
    const client = connect(t, port)
    client.write(ask())
    await once(client, 'readable')
    end(response)
    await readAll(client)
    const { err } = await outcome(calls[0])
    assert.ok(err.bytesSent > 0 && err.bytesSent < file.bytes.length)
    await untilReleased(file.path)
  }
})

test('while a file is sent, write, end and another transferFile are refused; afterwards they are not', async (t) => {
  const file = temporaryFile(t, LARGE)
  const busy = { code: 'ERR_SENDFILE_RESPONSE_BUSY' }
  const client = connect(t, (await serve(t, answer)).port)
  let answered
  async function answer (req, res) {
    res.setHeader('Transfer-Encoding', 'chunked')
    const call = transferFile(res, file.path, { endDestination: false })
    const refused = async () => {
      assert.throws(() => res.write('x'), busy)
      assert.throws(() => res.end(), busy)
      assert.throws(() => res.end('x'), busy)
      await assert.rejects(transferFile(res, file.path), { ...busy, bytesSent: 0 })
    }
    await refused() // before the file is open
    await untilStalled(req.socket)
    await refused()
    answered = readAll(client)
    await call
    res.write(' after ')
    await transferFile(res, file.path, { endDestination: false })
    res.end('the end')
  }
  client.write(ask())
  await once(client, 'readable')
  await until(() => answered !== undefined)
  const [{ body }] = answersIn(await answered)
  assertBytes(body, Buffer.concat([file.bytes, Buffer.from(' after '), file.bytes, Buffer.from('the end')]))
})

test('a response that waits for its turn is busy too', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, (req, res) => {
    const call = transferFile(res, file.path)
    assert.throws(() => res.end(), { code: 'ERR_SENDFILE_RESPONSE_BUSY' })
    return call
  })
  const bytes = await exchange(t, port, ask('/', { last: false }), ask())
  for (const { body } of answersIn(bytes)) assertBytes(body, file.bytes)
  await Promise.all(calls)
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

test('socket.bytesWritten is what the client got', async (t) => {
  const file = temporaryFile(t, 5 * MIB)
  let socket
  const { port, calls } = await serve(t, (req, res) => {
    socket = req.socket
    if (req.url === '/chunked') res.setHeader('Transfer-Encoding', 'chunked')
    return transferFile(res, file.path)
  })
  const client = connect(t, port)
  client.write(ask('/', { last: false }) + ask('/chunked', { last: false }) + ask())
  const bytes = await readAll(client)
  await Promise.all(calls)
  assert.equal(socket.bytesWritten, bytes.length)
})

test('a time-out of the socket fires for a client that takes nothing', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, (req, res) => {
    res.socket.setTimeout(200)
    return transferFile(res, file.path)
  })
  const client = connect(t, port) // a server destroys a socket that timed out
  client.write(ask())
  await once(client, 'readable')
  const { err } = await outcome(calls[0])
  assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
  assert.ok(err.bytesSent > 0)
  await untilReleased(file.path)
})

for (const when of ['before', 'after']) {
  test(`a time-out set ${when} the call does not fire for a client that takes bytes slowly`, async (t) => {
    const TIMEOUT_MS = 500
    const file = temporaryFile(t, LARGE)
    let timeouts = 0
    const { port, calls, sockets } = await serve(t, (req, res) => {
      if (when === 'before') res.socket.setTimeout(TIMEOUT_MS, () => timeouts++)
      return transferFile(res, file.path)
    })
    const client = connect(t, port)
    client.write(ask())
    await once(client, 'readable')
    if (when === 'after') [...sockets][0].setTimeout(TIMEOUT_MS, () => timeouts++)
    // A third of the send buffer, after which epoll tells of room, takes longer than the time-out.
    const began = performance.now()
    const chunks = []
    while (performance.now() - began < 5 * TIMEOUT_MS) {
      chunks.push(client.read(Math.min(32 * 1024, client.readableLength)) ?? Buffer.alloc(0))
      await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS / 20))
    }
    assert.equal(timeouts, 0)
    chunks.push(await readAll(client))
    assertBytes(answersIn(Buffer.concat(chunks))[0].body, file.bytes)
    await calls[0]
  })
}

test('onProgress tells of bytes sent, up to all of them', async (t) => {
  const file = temporaryFile(t, LARGE)
  const told = []
  const { port, calls } = await serve(t, (req, res) => transferFile(res, file.path, {
    onProgress: (bytesSent, total) => told.push({ bytesSent, total })
  }))
  const client = connect(t, port)
  client.write(ask())
  await once(client, 'readable')
  await until(() => told.length >= 2)
  await readAll(client)
  await calls[0]
  assert.ok(told.every(({ total }) => total === LARGE))
  assert.ok(told.every(({ bytesSent }, i) => i === 0 || bytesSent >= told[i - 1].bytesSent))
  assert.ok(told[0].bytesSent > 0 && told[0].bytesSent < LARGE)
  assert.equal(told.at(-1).bytesSent, LARGE)
})

test('each of 1,000 interleaved requests sees its own AsyncLocalStorage', async (t) => {
  const files = [100, 70_000, MIB].map((size) => temporaryFile(t, size))
  const storage = new AsyncLocalStorage()
  const seen = { finish: 0, close: 0, written: 0, await: 0, onProgress: 0 }
  const wrong = []
  const { port } = await serve(t, (req, res) => {
    const id = req.url
    const look = (where) => {
      seen[where]++
      if (storage.getStore() !== id) wrong.push(`${where} of ${id} saw ${storage.getStore()}`)
    }
    return storage.run(id, async () => {
      res.on('finish', () => look('finish'))
      res.on('close', () => look('close'))
      const file = files[Number(id.slice(1)) % files.length]
      res.setHeader('Transfer-Encoding', 'chunked')
      await transferFile(res, file.path, { onProgress: () => look('onProgress'), endDestination: false })
      look('await')
      res.write('more', () => look('written'))
      res.end()
    })
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 40 })
  t.after(() => agent.destroy())
  await Promise.all(Array.from({ length: 1000 }, (_, i) => new Promise((resolve, reject) => {
    http.get({ host: HOST, port, path: `/${i}`, agent }, (res) => {
      let length = 0
      res.on('data', (chunk) => { length += chunk.length })
      res.on('end', () => {
        if (length === files[i % files.length].bytes.length + 4) resolve()
        else reject(new Error(`${length} bytes`))
      })
    }).on('error', reject)
  })))
  await until(() => seen.close === 1000)
  assert.deepEqual(wrong.slice(0, 5), [])
  const { onProgress, ...others } = seen
  assert.deepEqual(others, { finish: 1000, close: 1000, written: 1000, await: 1000 })
  assert.ok(onProgress >= 1000)
  for (const file of files) await untilReleased(file.path)
})
