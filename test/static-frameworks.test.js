'use strict'

// serveStatic under what people mount it on.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const http2 = require('node:http2')
const https = require('node:https')
const path = require('node:path')
const { stats } = require('sendfile-native')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { MIB, isNative, sha256, test, turns } = require('./helpers')
const certificate = require('./helpers/certificate')
const { requiresModules } = require('./helpers/example')
const { HOST, answerOf, get, getTls, serve } = require('./helpers/http')
const { assertFile, folderOf } = require('./helpers/static')

const BIG = Buffer.from(Array.from({ length: 3 * MIB }, (_, i) => (i * 31 >> 5) & 255))

const FILES = { 'a.txt': 'alpha', 'index.html': 'index', sub: { 'index.html': 'sub' }, 'big.bin': BIG, 'app.js': 'plain', 'app.js.br': 'coded' }

/** A server that goes with the test. */
async function listen (t, server) {
  server.listen(0, HOST)
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections?.()
  })
  return server.address().port
}

/**
 * Each mounts `handler` at the root and at /static, answers 404 'own 404' behind it, and errors with their status and
 * 'own error': resolves with the port.
 */
const frameworks = {
  async 'Express 5' (t, handler) {
    const express = require('express')
    const app = express()
    app.use('/static', handler)
    app.use(handler)
    app.use((req, res) => res.status(404).send('own 404'))
    app.use((err, req, res, next) => res.status(err.status).set(err.headers ?? {}).send('own error')) // eslint-disable-line no-unused-vars
    return listen(t, http.createServer(app))
  },
  async Connect (t, handler) {
    const app = require('connect')()
    app.use('/static', handler)
    app.use(handler)
    app.use((req, res) => { res.statusCode = 404; res.end('own 404') })
    app.use((err, req, res, next) => { // eslint-disable-line no-unused-vars
      res.statusCode = err.status
      for (const field of Object.entries(err.headers ?? {})) res.setHeader(...field)
      res.end('own error')
    })
    return listen(t, http.createServer(app))
  },
  async polka (t, handler) {
    const app = require('polka')({
      onError (err, req, res) {
        res.writeHead(err.status, err.headers)
        res.end('own error')
      },
      onNoMatch (req, res) {
        res.statusCode = 404
        res.end('own 404')
      }
    })
    app.use('/static', handler)
    app.use(handler)
    app.server = http.createServer(app.handler)
    return listen(t, app.server)
  },
  async Koa (t, handler) {
    const Koa = require('koa')
    const app = new Koa()
    app.use(async (ctx, next) => {
      const mounted = ctx.url.startsWith('/static')
      ctx.req.originalUrl = ctx.req.url
      if (mounted) ctx.req.url = ctx.req.url.slice('/static'.length).replace(/^(?!\/)/, '/')
      ctx.respond = false
      ctx.res.statusCode = 200
      const err = await new Promise((resolve) => {
        ctx.res.once('close', resolve)
        handler(ctx.req, ctx.res, (err) => resolve(err ?? 'next'))
      })
      if (err === undefined) return
      ctx.respond = true
      if (err === 'next') return next()
      ctx.status = err.status
      ctx.set(err.headers ?? {})
      ctx.body = 'own error'
    })
    app.use((ctx) => { ctx.status = 404; ctx.body = 'own 404' })
    return listen(t, http.createServer(app.callback()))
  },
  async Fastify (t, handler) {
    const fastify = require('fastify')()
    await fastify.register(require('@fastify/middie'))
    fastify.use('/static', handler)
    fastify.use(handler)
    fastify.setNotFoundHandler((request, reply) => reply.code(404).send('own 404'))
    fastify.setErrorHandler((err, request, reply) => reply.code(err.status).headers(err.headers ?? {}).send('own error'))
    t.after(() => fastify.close())
    await fastify.listen({ port: 0, host: HOST })
    return fastify.server.address().port
  }
}

for (const [name, start] of Object.entries(frameworks)) {
  const skip = name === 'Fastify' && !requiresModules() && 'Fastify 5 needs Node 20 or later'

  test(`${name}: files, ranges, conditions and redirects, at the root and mounted`, { skip }, async (t) => {
    const passed = []
    const handler = serveStatic(folderOf(t, FILES), { precompressed: true })
    const port = await start(t, (req, res, next) => handler(req, res, (...args) => {
      passed.push(args)
      next(...args)
    }))
    const before = stats()
    for (const prefix of ['', '/static']) {
      assertFile(await get(t, port, `${prefix}/a.txt`), 'alpha')
      assertFile(await get(t, port, `${prefix}/a.txt?query`), 'alpha')
      assertFile(await get(t, port, `${prefix}/`), 'index')
      assertFile(await get(t, port, `${prefix}/sub/`), 'sub')
      const big = await get(t, port, `${prefix}/big.bin`)
      assert.equal(sha256(big.body), sha256(BIG))
      const { etag } = big.headers
      assert.equal((await get(t, port, `${prefix}/big.bin`, { headers: [`If-None-Match: ${etag}`] })).status, 304)
      const part = await get(t, port, `${prefix}/big.bin`, { headers: ['Range: bytes=1000000-1999999'] })
      assert.equal(part.status, 206)
      assert.equal(sha256(part.body), sha256(BIG.subarray(1_000_000, 2_000_000)))
      assertFile(await get(t, port, `${prefix}/app.js`, { headers: ['Accept-Encoding: br'] }), 'coded')
      const head = await get(t, port, `${prefix}/big.bin`, { method: 'HEAD' })
      assert.deepEqual({ status: head.status, length: head.headers['content-length'] }, { status: 200, length: String(BIG.length) })
      const redirect = await get(t, port, `${prefix}/sub?x=y`)
      assert.deepEqual({ status: redirect.status, to: redirect.headers.location }, { status: 301, to: `${prefix}/sub/?x=y` })
    }
    assert.equal((await get(t, port, '/static')).headers.location, '/static/')
    if (isNative) assert.equal(stats().bytes.copied, before.bytes.copied)
    // polka asks what is mounted at the root first.
    assert.deepEqual(passed.filter((args) => name !== 'polka' || args.length > 0), [])
  })

  test(`${name}: what is not found goes on, and errors go to the one who handles them`, { skip }, async (t) => {
    const folder = folderOf(t, FILES)
    const port = await start(t, serveStatic(folder))
    for (const target of ['/missing', '/static/missing', '/static/..%2fa', '/%', '/sub/missing/']) {
      const { status, body } = await get(t, port, target)
      if (target === '/%' && status === 400) continue // its router's own
      assert.deepEqual({ status, body: String(body) }, { status: 404, body: 'own 404' }, target)
    }
    const post = await get(t, port, '/a.txt', { method: 'POST', headers: ['Content-Length: 0'] })
    assert.deepEqual({ status: post.status, body: String(post.body) }, { status: 404, body: 'own 404' })
    const range = await get(t, port, '/a.txt', { headers: ['Range: bytes=5-'] })
    assert.deepEqual({ status: range.status, is: range.headers['content-range'], body: String(range.body) },
      { status: 416, is: 'bytes */5', body: 'own error' })
    const strict = await start(t, serveStatic(folder, { fallthrough: false }))
    for (const [target, status] of [['/missing', 404], ['/..%2fa', 403]]) {
      const answer = await get(t, strict, target)
      assert.deepEqual({ status: answer.status, body: String(answer.body) }, { status, body: 'own error' }, target)
    }
  })
}

test('Express: two folders, the second for what the first does not have', async (t) => {
  const express = require('express')
  const app = express()
  app.use(serveStatic(folderOf(t, { 'a.txt': 'first' })))
  app.use(serveStatic(folderOf(t, { 'a.txt': 'second', 'b.txt': 'second, too' })))
  const port = await listen(t, http.createServer(app))
  assertFile(await get(t, port, '/a.txt'), 'first')
  assertFile(await get(t, port, '/b.txt'), 'second, too')
  assert.equal((await get(t, port, '/c.txt')).status, 404)
})

test('Express: its error page answers what serveStatic could not, with nothing of the file', async (t) => {
  const express = require('express')
  const app = express()
  app.set('env', 'test')
  app.use(serveStatic(folderOf(t, FILES)))
  const port = await listen(t, http.createServer(app))
  const { status, headers } = await get(t, port, '/a.txt', { headers: ['Range: bytes=5-'] })
  assert.deepEqual({ status, is: headers['content-range'], etag: headers.etag }, { status: 416, is: 'bytes */5', etag: undefined })
})

test('Express: serveFile answers a route, with its fields', async (t) => {
  const express = require('express')
  const folder = folderOf(t, FILES)
  const app = express()
  app.get('/download/:name', (req, res, next) => {
    res.attachment(req.params.name)
    serveFile(req, res, req.params.name, { root: folder }).catch(next)
  })
  app.use((err, req, res, next) => res.status(err.status).send('own error')) // eslint-disable-line no-unused-vars
  const port = await listen(t, http.createServer(app))
  const answer = await get(t, port, '/download/a.txt')
  assertFile(answer, 'alpha')
  assert.match(answer.headers['content-disposition'], /^attachment; filename="?a\.txt"?$/)
  assert.equal(sha256((await get(t, port, '/download/big.bin')).body), sha256(BIG))
  assert.equal((await get(t, port, '/download/missing')).status, 404)
  assert.equal((await get(t, port, '/download/..%2fx')).status, 403)
})

test('compression sees the bytes of what it compresses, and what it leaves alone arrives as it is', async (t) => {
  const zlib = require('node:zlib')
  const app = require('connect')()
  app.use(require('compression')({ threshold: 0 }))
  const text = 'compressible '.repeat(5000)
  const large = 'compressible, too '.repeat(200_000)
  app.use(serveStatic(folderOf(t, { 'a.txt': text, 'small.txt': 'x'.repeat(2000), 'large.txt': large, 'big.mp4': BIG })))
  const port = await listen(t, http.createServer(app))
  const warnings = []
  const onWarning = (warning) => warnings.push(warning.message)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  for (const [name, contents] of [['/a.txt', text], ['/small.txt', 'x'.repeat(2000)], ['/large.txt', large]]) {
    const { status, headers, body } = await get(t, port, name, { headers: ['Accept-Encoding: gzip'] })
    assert.deepEqual({ status, coding: headers['content-encoding'], length: headers['content-length'] },
      { status: 200, coding: 'gzip', length: undefined })
    assert.equal(String(zlib.gunzipSync(body)), contents)
    assertFile(await get(t, port, name), contents)
    assert.equal((await get(t, port, name, { method: 'HEAD', headers: ['Accept-Encoding: gzip'] })).body.length, 0)
  }
  assertFile(await get(t, port, '/big.mp4', { headers: ['Accept-Encoding: gzip'] }), BIG)
  await turns(2)
  assert.deepEqual(warnings, [], 'nobody adds listeners without end')
  const part = await get(t, port, '/a.txt', { headers: ['Range: bytes=0-11'] })
  assert.equal(String(part.body), 'compressible')
})

test('a write that somebody listens in on sees every byte', async (t) => {
  const handler = serveStatic(folderOf(t, FILES))
  for (const replaced of ['write', 'end', 'both']) {
    const seen = []
    const { port } = await serve(t, (req, res) => {
      for (const name of ['write', 'end'].filter((name) => replaced === name || replaced === 'both')) {
        const { [name]: original } = res
        res[name] = function (chunk, ...rest) {
          if (chunk && typeof chunk !== 'function') seen.push(Buffer.from(chunk))
          return original.call(this, chunk, ...rest)
        }
      }
      handler(req, res)
    })
    for (const [target, contents] of [['/a.txt', Buffer.from('alpha')], ['/big.bin', BIG]]) {
      seen.length = 0
      assertFile(await get(t, port, target), contents)
      if (replaced !== 'end') assert.equal(sha256(Buffer.concat(seen)), sha256(contents))
    }
  }
})

test('TLS: the same, through the encryption', async (t) => {
  const handler = serveStatic(folderOf(t, FILES))
  const { port } = await serve(t, (req, res) => { handler(req, res) }, { create: https.createServer, ...certificate })
  for (const [path, contents] of [['/a.txt', 'alpha'], ['/big.bin', BIG], ['/', 'index']]) {
    const { status, headers, body } = await answerOf(getTls(t, port, path).end())
    assert.deepEqual({ status, length: headers['content-length'] }, { status: 200, length: String(contents.length) })
    assert.equal(sha256(body), sha256(contents))
  }
  const part = await answerOf(getTls(t, port, '/big.bin', { headers: { Range: 'bytes=1000-1999999' } }).end())
  assert.equal(part.status, 206)
  assert.equal(sha256(part.body), sha256(BIG.subarray(1000, 2_000_000)))
  const several = await answerOf(getTls(t, port, '/a.txt', { headers: { Range: 'bytes=0-0,2-2' } }).end())
  assert.match(String(several.body), /\r\n\r\na\r\n--.*\r\n\r\np\r\n--/s)
})

test('HTTP/2: a file that becomes shorter while it is sent is an error for the client, not its end', async (t) => {
  const folder = folderOf(t, { 'big.bin': Buffer.alloc(20 * MIB) })
  const handler = serveStatic(folder)
  const failures = []
  const server = http2.createServer((req, res) => handler(req, res, (err) => failures.push(err.code)))
  const port = await listen(t, server)
  const client = http2.connect(`http://${HOST}:${port}`)
  t.after(() => client.destroy())
  const stream = client.request({ ':path': '/big.bin' })
  const told = []
  for (const event of ['error', 'end']) stream.on(event, () => told.push(event))
  await once(stream, 'response')
  fs.truncateSync(path.join(folder, 'big.bin'), 1000)
  stream.resume()
  await new Promise((resolve) => stream.once('close', resolve))
  assert.deepEqual(told, ['error'])
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR)
  assert.deepEqual(failures, ['ERR_SENDFILE_TRUNCATED'])
})

test('HTTP/2: the same, by the compatibility API, in clear text and with TLS', async (t) => {
  const folder = folderOf(t, FILES)
  const handler = serveStatic(folder, { precompressed: true })
  const passed = []
  const listener = (req, res) => {
    if (req.url.startsWith('/one')) {
      return serveFile(req, res, 'a.txt', { root: folder }).then((served) => passed.push(served), (err) => passed.push(err))
    }
    handler(req, res, (err) => {
      passed.push(err)
      res.statusCode = err?.status ?? 404
      for (const [name, value] of Object.entries(err?.headers ?? {})) res.setHeader(name, value)
      res.end('own')
    })
  }
  for (const [scheme, create] of [['http', () => http2.createServer(listener)], ['https', () => http2.createSecureServer(certificate, listener)]]) {
    passed.length = 0
    const server = create()
    const sessions = new Set()
    server.on('session', (session) => sessions.add(session))
    t.after(() => { for (const session of sessions) session.destroy() })
    const port = await listen(t, server)
    const client = http2.connect(`${scheme}://localhost:${port}`, { ca: certificate.cert, lookup: (name, options, done) => {
      if (options.all) done(null, [{ address: HOST, family: 4 }])
      else done(null, HOST, 4)
    } })
    t.after(() => client.destroy())
    const ask = async (path, headers = {}) => {
      const stream = client.request({ ':path': path, ...headers })
      const [answer] = await once(stream, 'response')
      const chunks = []
      for await (const chunk of stream) chunks.push(chunk)
      return { status: answer[':status'], headers: answer, body: Buffer.concat(chunks) }
    }
    for (const [path, contents] of [['/a.txt', 'alpha'], ['/big.bin', BIG], ['/', 'index']]) {
      const { status, headers, body } = await ask(path)
      assert.deepEqual({ status, length: headers['content-length'] }, { status: 200, length: String(contents.length) })
      assert.equal(sha256(body), sha256(contents))
    }
    const { headers: { etag } } = await ask('/a.txt')
    assert.equal((await ask('/a.txt', { 'if-none-match': etag })).status, 304)
    assert.deepEqual(await ask('/a.txt', { range: 'bytes=1-2' }).then(({ status, body }) => [status, String(body)]), [206, 'lp'])
    assert.equal((await ask('/a.txt', { range: 'bytes=0-0,4-4' })).status, 206)
    assert.equal((await ask('/app.js', { 'accept-encoding': 'br' })).headers['content-encoding'], 'br')
    const head = await ask('/big.bin', { ':method': 'HEAD' })
    assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, String(BIG.length)])
    assert.equal((await ask('/sub')).headers.location, '/sub/')
    const sum = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i % 2 ? '/a.txt' : '/big.bin')))
    assert.deepEqual(sum.map(({ body }) => body.length), sum.map((_, i) => i % 2 ? 5 : BIG.length))
    assert.deepEqual(passed, [])
    assert.equal((await ask('/missing')).status, 404)
    assert.equal((await ask('/a.txt', { range: 'bytes=9-' })).headers['content-range'], 'bytes */5')
    assert.equal(String((await ask('/one')).body), 'alpha')
    assert.deepEqual(passed.map((each) => each?.status ?? each?.statusCode), [undefined, 416, 200])
    client.close()
  }
})
