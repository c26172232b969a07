'use strict'

// What a connection goes through while serveStatic answers: order, back-pressure, ends, events and counters.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const path = require('node:path')
const { stats } = require('sendfile-native')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { MIB, descriptors, isNative, numberOf, sha256, startReactor, test, turns, until } = require('./helpers')
const { answersIn, ask, connect, exchange, get, held, outcome, readAll, serve, untilStalled } = require('./helpers/http')
const { assertFile, folderOf, serveFolder, serveOne } = require('./helpers/static')
const testkit = require('./helpers/testkit')

const patterned = (size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 >> 3) & 255))

const SMALL = patterned(3000)
const MIDDLE = patterned(60_000)
const BIG = patterned(20 * MIB)
const FILES = { 'small.bin': SMALL, 'middle.bin': MIDDLE, 'big.bin': BIG, empty: '', 'a.txt': 'alpha' }

test('requests that are sent one behind the other are answered in order', async (t) => {
  const site = await serveFolder(t, FILES)
  const contents = { '/small.bin': SMALL, '/middle.bin': MIDDLE, '/empty': Buffer.alloc(0), '/a.txt': Buffer.from('alpha') }
  const targets = Array.from({ length: 200 }, (_, i) => Object.keys(contents)[(i * 7) % 4])
  const bytes = await exchange(t, site.port, ...targets.map((target) => ask(target, { last: false })), ask('/big.bin'))
  const answers = answersIn(bytes)
  assert.equal(answers.length, 201)
  targets.forEach((target, i) => assertFile(answers[i], contents[target]))
  assert.equal(sha256(answers[200].body), sha256(BIG))
})

test('requests that arrive at once are answered in order, whatever each of them is', async (t) => {
  const site = await serveFolder(t, FILES)
  const kinds = [
    ['/small.bin', {}, 200], ['/missing', {}, 404], ['/big.bin', { method: 'HEAD' }, 200], ['/a.txt', { headers: ['If-None-Match: *'] }, 304],
    ['/middle.bin', { headers: ['Range: bytes=5-9'] }, 206], ['/empty', {}, 200], ['/small.bin', { headers: ['Range: bytes=0-0,9-9'] }, 206],
    ['/a.txt', { headers: ['Range: bytes=77-'] }, 416], ['/a.txt', { method: 'POST', headers: ['Content-Length: 0'] }, 404]
  ]
  const asked = Array.from({ length: 90 }, (_, i) => kinds[(i * 5) % kinds.length])
  const bytes = await exchange(t, site.port, ...asked.map(([target, options]) => ask(target, { ...options, last: false })), ask('/a.txt'))
  const answers = answersIn(bytes, asked.map(([, { method }]) => method))
  assert.deepEqual(answers.map(({ status }) => status), [...asked.map(([, , status]) => status), 200])
})

test('a small file behind a response that is not through waits for its turn', async (t) => {
  const folder = folderOf(t, FILES)
  const handler = serveStatic(folder)
  let finish
  const { port } = await serve(t, (req, res) => {
    if (req.url !== '/waits') return handler(req, res)
    res.setHeader('Content-Length', 8)
    res.write('own ')
    finish = () => res.end('body')
  })
  const client = connect(t, port)
  client.write(ask('/waits', { last: false }) + ask('/a.txt', { last: false }) + ask('/small.bin'))
  const chunks = []
  client.on('data', (chunk) => chunks.push(chunk))
  await until(() => Buffer.concat(chunks).includes('own '))
  await turns(50)
  assert.ok(!Buffer.concat(chunks).includes('alpha'))
  finish()
  await once(client, 'close')
  const answers = answersIn(Buffer.concat(chunks))
  assert.equal(String(answers[0].body), 'own body')
  assertFile(answers[1], 'alpha')
  assertFile(answers[2], SMALL)
})

test('what was written to the socket before goes first', async (t) => {
  const handler = serveStatic(folderOf(t, FILES))
  const { port } = await serve(t, (req, res) => {
    res.writeContinue()
    res.writeEarlyHints?.({ link: '</a.css>; rel=preload' })
    handler(req, res)
  })
  const bytes = String(await exchange(t, port, ask('/a.txt')))
  assert.match(bytes, /^HTTP\/1\.1 100 Continue\r\n\r\n(HTTP\/1\.1 103 Early Hints\r\n[^]*?\r\n\r\n)?HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nalpha$/)
})

test('a socket that is corked while it is answered loses nothing', async (t) => {
  const handler = serveStatic(folderOf(t, FILES))
  for (const corked of ['socket', 'res']) {
    const { port } = await serve(t, (req, res) => {
      const stream = corked === 'socket' ? res.socket : res
      stream.cork()
      handler(req, res)
      setImmediate(() => stream.uncork())
    })
    for (const [target, contents] of [['/a.txt', 'alpha'], ['/middle.bin', MIDDLE], ['/empty', '']]) {
      assertFile(await get(t, port, target), contents)
    }
  }
})

for (const [name, contents] of [['small.bin', SMALL], ['middle.bin', MIDDLE], ['big.bin', BIG.subarray(0, 300_000)]]) {
  test(`a peer with tiny buffers that reads slowly gets ${name} as it is, head and all`, async (t) => {
    const handler = serveStatic(folderOf(t, { [name]: contents }), { setHeaders: (res) => res.setHeader('X-Long', 'x'.repeat(6000)) })
    const { port } = await serve(t, (req, res) => {
      testkit.setSendBuffer(numberOf(req.socket), 8192)
      handler(req, res)
    })
    const client = connect(t, port)
    await once(client, 'connect')
    testkit.setReceiveBuffer(numberOf(client), 8192)
    const requests = name === 'big.bin' ? 1 : 8
    client.write(ask(`/${name}`, { last: false }).repeat(requests - 1) + ask(`/${name}`))
    const chunks = []
    for await (const chunk of client) {
      chunks.push(chunk)
      if (chunks.length % 8 === 0) await turns(1)
    }
    const answers = answersIn(Buffer.concat(chunks))
    assert.equal(answers.length, requests)
    for (const answer of answers) {
      assert.equal(answer.headers['x-long'].length, 6000)
      assert.equal(sha256(answer.body), sha256(contents))
    }
  })
}

test('a peer that stops reading holds up nobody else, and gets the rest later', async (t) => {
  const site = await serveFolder(t, FILES)
  const client = connect(t, site.port)
  client.write(ask('/small.bin', { last: false }).repeat(30) + ask('/big.bin', { last: false }) + ask('/a.txt'))
  const [socket] = await once(site.server, 'connection')
  await untilStalled(socket)
  for (let i = 0; i < 20; i++) assertFile(await site.get('/small.bin'), SMALL)
  const answers = answersIn(await readAll(client))
  assert.equal(answers.length, 32)
  assert.equal(sha256(answers[30].body), sha256(BIG))
  assertFile(answers[31], 'alpha')
})

test('clients that leave leave nothing open', async (t) => {
  await startReactor()
  const site = await serveFolder(t, FILES)
  assertFile(await site.get('/a.txt'), 'alpha')
  await until(() => site.sockets.size === 0)
  const before = descriptors().size
  for (let round = 0; round < 60; round++) {
    const client = connect(t, site.port)
    client.write(ask(['/big.bin', '/small.bin', '/middle.bin'][round % 3], { last: false }).repeat(3))
    if (round % 4 !== 0) await once(client, 'readable')
    if (round % 2) client.resetAndDestroy?.()
    client.destroy()
  }
  await until(() => site.sockets.size === 0)
  await until(() => descriptors().size <= before)
  assert.equal(held(path.join(site.folder, 'big.bin')), 0)
  assert.deepEqual(site.passed, [], 'that a client has left is no error of the application')
  assertFile(await site.get('/a.txt'), 'alpha')
})

test('serveFile rejects when the client leaves', async (t) => {
  const file = path.join(folderOf(t, FILES), 'big.bin')
  const site = await serveOne(t, file)
  const client = connect(t, site.port)
  client.write(ask('/'))
  await once(client, 'readable')
  client.destroy()
  await until(() => site.calls.length === 1)
  const { err } = await outcome(site.calls[0])
  assert.match(err.code, /^(ERR_STREAM_PREMATURE_CLOSE|ECONNRESET|EPIPE)$/)
  assert.ok(err.bytesSent >= 0 && err.bytesSent < BIG.length)
  await until(() => held(file) === 0)
})

/** What a response tells of itself while it is answered. */
function watch (res) {
  const told = []
  for (const name of ['prefinish', 'finish', 'close', 'error']) res.on(name, () => told.push(name))
  return told
}

for (const [name, target, options] of [
  ['a small file', '/small.bin', {}], ['a file of some size', '/middle.bin', {}], ['a large file', '/big.bin', {}], ['an empty file', '/empty', {}],
  ['HEAD', '/big.bin', { method: 'HEAD' }], ['a range', '/big.bin', { headers: ['Range: bytes=1-9'] }],
  ['several ranges', '/big.bin', { headers: ['Range: bytes=1-9,22-33'] }], ['304', '/a.txt', { headers: ['If-None-Match: *'] }],
  ['not found', '/missing', {}], ['a redirect', '/sub', {}]
]) {
  test(`events and state of a response are as of any other: ${name}`, async (t) => {
    let told
    let response
    let written
    const site = await serveFolder(t, { ...FILES, sub: {} }, {}, {
      before (req, res) {
        told = watch(res)
        response = res
        const { bytesWritten } = req.socket
        res.once('close', () => { written = req.socket.bytesWritten - bytesWritten })
      }
    })
    const agent = new http.Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    for (let i = 0; i < 3; i++) {
      const { method, headers = [] } = options
      const request = http.request({
        agent, port: site.port, host: '127.0.0.1', path: target, method, headers: Object.fromEntries(headers.map((field) => field.split(': ')))
      }).end()
      const [answer] = await once(request, 'response')
      let length = 0
      for await (const chunk of answer) length += chunk.length
      await until(() => told.includes('close'))
      assert.deepEqual(told, ['prefinish', 'finish', 'close'])
      const { headersSent, writableEnded, writableFinished, finished, destroyed, errored } = response
      assert.deepEqual({ headersSent, writableEnded, writableFinished, finished, errored },
        { headersSent: true, writableEnded: true, writableFinished: true, finished: true, errored: null })
      assert.equal(typeof destroyed, 'boolean')
      const head = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${answer.rawHeaders.map((text, i) => `${text}${i % 2 ? '\r\n' : ': '}`).join('')}\r\n`
      assert.equal(written, head.length + length, 'bytesWritten counts head and body')
    }
    assert.equal(site.sockets.size, 1, 'one connection served them all')
  })
}

test('strictContentLength has nothing to complain about', async (t) => {
  const site = await serveFolder(t, FILES, {}, { before: (req, res) => { res.strictContentLength = true } })
  for (const [target, contents] of [['/a.txt', 'alpha'], ['/small.bin', SMALL], ['/big.bin', BIG], ['/empty', '']]) {
    assertFile(await site.get(target), contents)
  }
  const part = await site.get('/big.bin', { headers: ['Range: bytes=0-9,20-29'] })
  assert.equal(part.headers['content-length'], String(part.body.length))
})

test('HTTP/1.0 and Connection: close end the connection behind the file', async (t) => {
  const site = await serveFolder(t, FILES)
  for (const [target, contents] of [['/a.txt', 'alpha'], ['/big.bin', BIG], ['/empty', '']]) {
    for (const request of [`GET ${target} HTTP/1.0\r\n\r\n`, ask(target)]) {
      const [answer, ...more] = answersIn(await exchange(t, site.port, request))
      assert.equal(more.length, 0)
      assertFile(answer, contents)
      assert.equal(answer.headers.connection, 'close')
    }
    const keep = `GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`
    const answers = answersIn(await exchange(t, site.port, keep, `GET ${target} HTTP/1.0\r\n\r\n`))
    assert.deepEqual(answers.map(({ headers }) => headers.connection), ['keep-alive', 'close'])
    for (const answer of answers) assertFile(answer, contents)
  }
})

test('server.close() lets what is under way finish, and ends connections that are idle', async (t) => {
  for (const target of ['/a.txt', '/big.bin']) {
    const site = await serveFolder(t, FILES)
    const client = connect(t, site.port)
    client.write(ask(target, { last: false }))
    await once(client, 'readable')
    const closed = new Promise((resolve) => site.server.close(resolve))
    const contents = target === '/a.txt' ? Buffer.from('alpha') : BIG
    if (!http.Server.prototype.closeIdleConnections || process.versions.node.startsWith('18.')) client.end()
    const [answer] = answersIn(await readAll(client))
    assert.equal(sha256(answer.body), sha256(contents))
    await closed
  }
})

test('time-outs of the server are as without: an idle connection is ended, one that takes its file is not', async (t) => {
  const site = await serveFolder(t, FILES, {}, { keepAliveTimeout: 50, connectionsCheckingInterval: 50 })
  site.server.keepAliveTimeout = 50
  const client = connect(t, site.port)
  client.write(ask('/a.txt', { last: false }))
  const [first] = answersIn(await readAll(client)) // ends by itself
  assertFile(first, 'alpha')
  site.server.setTimeout(200)
  const reader = connect(t, site.port)
  reader.write(ask('/big.bin'))
  const chunks = []
  for await (const chunk of reader) {
    chunks.push(chunk)
    if (chunks.length % 40 === 0) await turns(5)
  }
  const [answer] = answersIn(Buffer.concat(chunks))
  assert.equal(sha256(answer.body), sha256(BIG))
})

test('a response in whose head others have had a hand is framed as they wanted', async (t) => {
  const site = await serveFolder(t, FILES, { setHeaders: (res) => res.setHeader('Transfer-Encoding', 'chunked') })
  for (const [target, contents] of [['/a.txt', 'alpha'], ['/middle.bin', MIDDLE]]) {
    const { status, headers, body } = await site.get(target)
    assert.equal(status, 200)
    assert.ok(headers['transfer-encoding'] === undefined || headers['content-length'] === undefined, 'one framing')
    assert.equal(sha256(body), sha256(contents))
  }
  const trailers = await serveFolder(t, FILES, {}, { before: (req, res) => res.setHeader('Trailer', 'X-Sum') })
  assert.equal((await exchange(t, trailers.port, ask('/a.txt'))).includes('alpha'), true)
})

test('a length that somebody else put into the head is never exceeded', async (t) => {
  const site = await serveFolder(t, FILES, {}, {
    before (req, res) {
      const { writeHead } = res
      res.writeHead = function (...args) {
        this.setHeader('Content-Length', 3)
        return writeHead.apply(this, args)
      }
    }
  })
  for (let i = 0; i < 3; i++) {
    const bytes = await exchange(t, site.port, ask('/a.txt'))
    assert.ok(!bytes.includes('alpha'), 'not more than was promised')
  }
  assert.deepEqual(site.passed.map(([err]) => err.code), Array(3).fill('ERR_HTTP_CONTENT_LENGTH_MISMATCH'))
})

test('a long head goes before its file', async (t) => {
  for (const length of [1000, 16_000, 17_000, 70_000, 300_000]) {
    const site = await serveFolder(t, FILES, { setHeaders: (res) => res.setHeader('X-Long', 'y'.repeat(length)) })
    for (const [target, contents] of [['/a.txt', 'alpha'], ['/middle.bin', MIDDLE], ['/empty', '']]) {
      const answer = await site.get(target)
      assertFile(answer, contents)
      assert.equal(answer.headers['x-long'].length, length)
    }
  }
})

test('a listener of the response that throws or destroys takes only its own request along', async (t) => {
  const handler = serveStatic(folderOf(t, FILES))
  const { port } = await serve(t, (req, res) => {
    if (req.url.endsWith('?destroy')) res.once('finish', () => res.destroy())
    handler(req, res)
  }, { keepAliveTimeout: 1 }) // the response has left its socket by then: the connection is ended by the time-out
  for (let i = 0; i < 5; i++) {
    await exchange(t, port, ask('/a.txt?destroy', { last: false }))
    assertFile(await get(t, port, '/a.txt'), 'alpha')
  }
})

test('the same handler serves many connections at once', async (t) => {
  const site = await serveFolder(t, FILES)
  const contents = { '/small.bin': SMALL, '/middle.bin': MIDDLE, '/big.bin': BIG, '/a.txt': Buffer.from('alpha') }
  const targets = Array.from({ length: 60 }, (_, i) => Object.keys(contents)[i % 4])
  const answers = await Promise.all(targets.map((target) => site.get(target)))
  answers.forEach(({ body }, i) => assert.equal(sha256(body), sha256(contents[targets[i]])))
})

test('natively, a small file in memory is sent on the JavaScript thread, without a thread, and none of it is copied', { skip: !isNative }, async (t) => {
  const site = await serveFolder(t, FILES)
  await site.get('/small.bin')
  const before = stats()
  for (let i = 0; i < 50; i++) assertFile(await site.get('/small.bin'), SMALL)
  const after = stats()
  assert.equal(after.bytes.copied, before.bytes.copied)
  assert.equal(after.fetches, before.fetches)
  assert.equal(after.bytes.reactor, before.bytes.reactor)
  assert.equal(after.wakeUps, before.wakeUps)
  assert.ok(after.bytes.inline - before.bytes.inline >= 50 * SMALL.length)
})

test('serveFile tells whether bytes passed through JavaScript, and why', async (t) => {
  const folder = folderOf(t, FILES)
  for (const [name, range] of [['small.bin'], ['big.bin'], ['big.bin', 'Range: bytes=5-99'], ['big.bin', 'Range: bytes=5-9,22-5000000']]) {
    const site = await serveOne(t, name, { root: folder })
    await site.get('/', { headers: range ? [range] : [] })
    const { zeroCopy, reason } = await site.calls[0]
    assert.deepEqual({ zeroCopy, reason }, isNative ? { zeroCopy: true, reason: null } : { zeroCopy: false, reason: 'disabled' }, `${name} ${range}`)
    const before = (req, res) => {
      const { write } = res
      res.write = (...args) => write.apply(res, args)
    }
    const wrapped = await serveOne(t, name, { root: folder }, { before })
    await wrapped.get('/', { headers: range ? [range] : [] })
    const served = await wrapped.calls[0]
    assert.deepEqual({ zeroCopy: served.zeroCopy, reason: served.reason }, { zeroCopy: false, reason: isNative ? 'wrapped' : 'disabled' })
  }
})

test('serveFile settles only when the file has left, in the context of its request', async (t) => {
  const { AsyncLocalStorage } = require('node:async_hooks')
  const storage = new AsyncLocalStorage()
  const folder = folderOf(t, FILES)
  let context
  let settled = false
  const { port, calls } = await serve(t, (req, res) => storage.run(req.url, async () => {
    const served = await serveFile(req, res, 'big.bin', { root: folder, setHeaders: () => { context = storage.getStore() } })
    settled = true
    return { ...served, store: storage.getStore() }
  }))
  const client = connect(t, port)
  client.write(ask('/context'))
  await once(client, 'readable')
  await turns(20)
  assert.equal(settled, false)
  await readAll(client)
  const { bytesSent, store } = await calls[0]
  assert.deepEqual({ bytesSent, store, context }, { bytesSent: BIG.length, store: '/context', context: '/context' })
})
