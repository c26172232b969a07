'use strict'

// How a file as an HTTP response ends well: events, half-close, order, time-outs, async context.

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { once } = require('node:events')
const { createReadStream } = require('node:fs')
const http = require('node:http')
const { transferFile } = require('sendfile-native')
const { MIB, temporaryFile, test, turns, until } = require('./helpers')
const {
  HOST, answersIn, ask, assertBytes, assertNative, connect, exchange, get, outcome, readAll, serve,
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

test('a file that follows another from its onProgress is guarded as the first was', async (t) => {
  const [file, next] = [temporaryFile(t, 1000), temporaryFile(t, LARGE)]
  const busy = { code: 'ERR_SENDFILE_RESPONSE_BUSY' }
  const { port, calls } = await serve(t, async (req, res) => {
    res.setHeader('Transfer-Encoding', 'chunked')
    let call
    const onProgress = (sent, total) => { if (sent === total) call ??= transferFile(res, next.path) }
    await transferFile(res, file.path, { endDestination: false, onProgress })
    assert.throws(() => res.write('x'), busy)
    assert.throws(() => res.end(), busy)
    return call
  })
  assertBytes((await get(t, port)).body, Buffer.concat([file.bytes, next.bytes]))
  await calls[0]
})

test('a response that is wrapped while it is busy refuses a second file, and gets the first', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, async (req, res) => {
    const call = transferFile(res, file.path)
    const { write } = res
    res.write = function (...args) { return write.apply(this, args) }
    await assert.rejects(transferFile(res, file.path), { code: 'ERR_SENDFILE_RESPONSE_BUSY', bytesSent: 0 })
    return call
  })
  assertBytes((await get(t, port)).body, file.bytes)
  await calls[0]
})

test('a response that was corked gets its file all the same', async (t) => {
  const file = temporaryFile(t, 100_000)
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const { port, calls } = await serve(t, (req, res) => {
      res.writeHead(200, headers)
      res.cork()
      res.cork()
      res.write('before')
      return transferFile(res, file.path)
    })
    const { body } = await get(t, port)
    assertBytes(body, Buffer.concat([Buffer.from('before'), file.bytes]))
    await calls[0]
  }
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
