'use strict'

// What a response of serveStatic and serveFile says of the file: type, length, and how long it may be kept.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { serveStatic } = require('sendfile-native/static')
const { isNative, run, sha256, test } = require('./helpers')
const { answersIn, ask, exchange, get, serve } = require('./helpers/http')
const { MODIFIED, assertFile, assertPassed, folderOf, serveFolder, serveOne } = require('./helpers/static')

const TYPES = {
  'a.html': 'text/html; charset=utf-8',
  'a.htm': 'text/html; charset=utf-8',
  'a.HTML': 'text/html; charset=utf-8',
  'a.txt': 'text/plain; charset=utf-8',
  'a.css': 'text/css; charset=utf-8',
  'a.js': 'text/javascript; charset=utf-8',
  'a.mjs': 'text/javascript; charset=utf-8',
  'a.json': 'application/json; charset=utf-8',
  'a.map': 'application/json; charset=utf-8',
  'a.md': 'text/markdown; charset=utf-8',
  'a.csv': 'text/csv; charset=utf-8',
  'a.xml': 'application/xml',
  'a.webmanifest': 'application/manifest+json; charset=utf-8',
  'a.svg': 'image/svg+xml',
  'a.png': 'image/png',
  'a.jpg': 'image/jpeg',
  'a.jpeg': 'image/jpeg',
  'a.gif': 'image/gif',
  'a.webp': 'image/webp',
  'a.avif': 'image/avif',
  'a.ico': 'image/vnd.microsoft.icon',
  'a.woff': 'font/woff',
  'a.woff2': 'font/woff2',
  'a.wasm': 'application/wasm',
  'a.pdf': 'application/pdf',
  'a.zip': 'application/zip',
  'a.gz': 'application/gzip',
  'a.tar.gz': 'application/gzip',
  'a.mp3': 'audio/mpeg',
  'a.mp4': 'video/mp4',
  'a.webm': 'video/webm',
  'a.unheard-of': 'application/octet-stream',
  without: 'application/octet-stream',
  'ends.': 'application/octet-stream'
}

test('the type is told by the last extension, in any case, and text is said to be UTF-8', async (t) => {
  const site = await serveFolder(t, Object.fromEntries(Object.keys(TYPES).map((name) => [name, name])))
  const types = {}
  for (const name of Object.keys(TYPES)) {
    const answer = await site.get(`/${name}`)
    assertFile(answer, name)
    types[name] = answer.headers['content-type']
  }
  assert.deepEqual(types, TYPES)
})

test('a response has the length, a weak tag, when the file was changed, and that it is to be asked for again', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const answer = await site.get('/a.txt')
  assertFile(answer, 'alpha')
  const { headers } = answer
  assert.match(headers.etag, /^W\/"[\x21\x23-\x7e]+"$/)
  assert.equal(headers['last-modified'], MODIFIED.toUTCString())
  assert.equal(headers['cache-control'], 'public, max-age=0')
  assert.equal(headers['accept-ranges'], 'bytes')
  assert.equal(headers['content-range'], undefined)
  assert.equal(headers['content-encoding'], undefined)
  assert.equal(headers.vary, undefined)
  assert.equal(new Set(answer.fields.map((field) => field.split(':')[0].toLowerCase())).size, answer.fields.length, 'no field twice')
})

test('the tag is another when the size or the time of modification is, down to its milliseconds', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const file = path.join(site.folder, 'a.txt')
  const tags = new Set()
  const look = async () => {
    const { headers } = await site.get('/a.txt')
    tags.add(headers.etag)
    return headers.etag
  }
  const first = await look()
  assert.equal(await look(), first)
  fs.utimesSync(file, MODIFIED, new Date(MODIFIED.getTime() + 1))
  await look()
  fs.writeFileSync(file, 'alphabet')
  fs.utimesSync(file, MODIFIED, MODIFIED)
  await look()
  assert.equal(tags.size, 3)
})

for (const [option, field] of [
  ['acceptRanges', 'accept-ranges'], ['cacheControl', 'cache-control'], ['etag', 'etag'], ['lastModified', 'last-modified']
]) {
  test(`${option}: false leaves out ${field}, and nothing else`, async (t) => {
    const files = { 'a.txt': 'alpha' }
    const all = (await (await serveFolder(t, files)).get('/a.txt')).headers
    const { headers } = await (await serveFolder(t, files, { [option]: false })).get('/a.txt')
    const without = { ...all }
    delete without[field]
    assert.deepEqual(Object.keys(headers).sort(), Object.keys(without).sort())
  })
}

test('maxAge is in milliseconds or a text, whole seconds, a year at most', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  const year = 365 * 24 * 3600
  for (const [maxAge, seconds] of [
    [0, 0], [999, 0], [1000, 1], [1999, 1], ['2s', 2], ['1 day', 86400], ['30d', 30 * 86400], ['1.5h', 5400], ['3000', 3],
    [1e15, year], [Infinity, year], ['2y', year]
  ]) {
    const { headers } = await (await serveFolder(t, folder, { maxAge })).get('/a.txt')
    assert.equal(headers['cache-control'], `public, max-age=${seconds}`, String(maxAge))
  }
  const { headers } = await (await serveFolder(t, folder, { maxAge: '1 year', immutable: true })).get('/a.txt')
  assert.equal(headers['cache-control'], `public, max-age=${year}, immutable`)
})

const PRESET = {
  'Accept-Ranges': 'none',
  'Cache-Control': 'no-store',
  'Content-Type': 'text/x-own',
  ETag: '"own"',
  'Last-Modified': 'Sat, 01 Jan 2000 00:00:00 GMT'
}

for (const [where, how] of [
  ['before the call', { before: (req, res) => { for (const field of Object.entries(PRESET)) res.setHeader(...field) } }],
  ['in setHeaders', { setHeaders: (res) => { for (const field of Object.entries(PRESET)) res.setHeader(...field) } }]
]) {
  test(`a field that was set ${where} is left as it is`, async (t) => {
    const { before, ...options } = how
    const site = await serveFolder(t, { 'a.txt': 'alpha' }, options, { before })
    const answer = await site.get('/a.txt')
    assertFile(answer, 'alpha')
    for (const [name, value] of Object.entries(PRESET)) assert.equal(answer.headers[name.toLowerCase()], value)
  })
}

test('setHeaders is given the response, the path and the fs.Stats of what is sent, once, before the head is made', async (t) => {
  const seen = []
  const site = await serveFolder(t, { 'b.txt': 'the file' }, {
    setHeaders (res, file, stat) {
      seen.push({ res, file, stat, sent: res.headersSent, has: res.hasHeader('ETag') })
      res.setHeader('X-Own', stat.size)
    }
  })
  const file = path.join(site.folder, 'b.txt')
  for (const method of ['GET', 'HEAD']) {
    seen.length = 0
    const { headers } = await site.get('/b.txt', { method })
    assert.equal(headers['x-own'], '8')
    assert.equal(seen.length, 1)
    const [{ res, stat, sent, has }] = seen
    assert.equal(seen[0].file, file)
    assert.equal(typeof res.setHeader, 'function')
    assert.deepEqual({ sent, has }, { sent: false, has: false })
    const real = fs.statSync(file)
    assert.ok(stat instanceof fs.Stats)
    assert.equal(Object.getPrototypeOf(stat), Object.getPrototypeOf(real))
    assert.ok(stat.isFile() && !stat.isDirectory())
    assert.ok(stat.mtime instanceof Date)
    for (const name of ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev', 'size', 'blksize', 'blocks', 'mtimeMs']) {
      assert.equal(stat[name], real[name], name)
    }
    for (const name of ['mtime', 'ctime', 'birthtime']) assert.equal(stat[name].getTime(), real[name].getTime(), name)
    assert.deepEqual(Object.keys(stat).sort(), Object.keys(real).sort())
  }
})

test('setHeaders is called for what has not changed, and not for what is not there or redirected', async (t) => {
  let calls = 0
  const site = await serveFolder(t, { 'a.txt': 'alpha', folder: {} }, { setHeaders: () => { calls++ } })
  const { headers } = await site.get('/a.txt')
  assert.equal((await site.get('/a.txt', { headers: [`If-None-Match: ${headers.etag}`] })).status, 304)
  assert.equal(calls, 2)
  assert.equal((await site.get('/missing')).status, 404)
  assert.equal((await site.get('/folder')).status, 301)
  assert.equal(calls, 2)
})

test('next is called once, also when it throws', { skip: !isNative && 'of what is opened at once' }, async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  await (await serveFolder(t, folder)).get('/a.txt') // from now on it is opened at once
  const handler = serveStatic(folder)
  const told = []
  const { port } = await serve(t, (req, res) => {
    const next = (err) => {
      told.push(err.status)
      throw new Error('of next')
    }
    assert.throws(() => handler(req, res, next), { message: 'of next' })
    res.end()
  })
  await get(t, port, '/a.txt', { headers: ['If-Match: "other"'] })
  assert.deepEqual(told, [412])
})

test('what setHeaders throws is an error of the request, and of no other', async (t) => {
  const failure = new Error('of setHeaders')
  const options = { setHeaders () { throw failure } }
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, options)
  for (let i = 0; i < 2; i++) assert.equal((await site.get('/a.txt')).status, 500)
  assert.equal(site.passed.length, 2)
  const one = await serveOne(t, path.join(site.folder, 'a.txt'), options)
  await one.get('/')
  const [{ err, headersSent }] = one.rejected
  assert.ok(err === failure || err.cause === failure || err.message === failure.message)
  assert.equal(headersSent, false)
})

test('what setHeaders throws is told, even if it is nothing', async (t) => {
  const thrown = [null, undefined, 0, '']
  const options = { setHeaders () { throw thrown[0] } }
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, options)
  const one = await serveOne(t, path.join(site.folder, 'a.txt'), options)
  for (; thrown.length > 0; thrown.shift()) {
    assertPassed(await site.get('/a.txt'), 500)
    assert.equal((await one.get('/')).status, 500)
  }
  assert.equal(one.rejected.length, 4)
})

test('next() that throws is called once', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  const program = `
    const http = require('node:http')
    const { serveStatic } = require('./static')
    const handler = serveStatic(process.argv[1])
    process.on('uncaughtException', () => {})
    let calls = 0
    const server = http.createServer((req, res) => handler(req, res, (err) => {
      calls++
      res.statusCode = err.status
      res.end()
      throw err
    }))
    server.listen(0, '127.0.0.1', async () => {
      const ask = (headers) => new Promise((resolve) => {
        http.get({ port: server.address().port, path: '/a.txt', agent: false, headers }, (res) => resolve(res.resume()))
      })
      const fields = [{ 'If-Match': '"x"' }, { Range: 'bytes=9-' }, { 'If-Match': '"x"' }]
      for (const headers of fields) process.stdout.write((await ask(headers)).statusCode + ' ')
      console.log(calls)
      process.exit()
    })`
  const { stdout, stderr } = await run(['-e', program, folder])
  assert.equal(stdout, '412 416 412 3\n', stderr)
})

test('HEAD has the fields of GET and no body, and the connection goes on', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha', 'big.bin': Buffer.alloc(3_000_000, 1), empty: '' })
  for (const name of ['/a.txt', '/big.bin', '/empty']) {
    const bytes = await exchange(t, site.port, ask(name, { method: 'HEAD', last: false }), ask('/a.txt'))
    const [head, next] = answersIn(bytes, ['HEAD', 'GET'])
    const whole = await site.get(name)
    const fields = ({ headers }) => ({ ...headers, date: '', connection: '', 'keep-alive': '' })
    assert.deepEqual(fields(head), fields(whole))
    assert.equal(head.status, 200)
    assert.equal(head.headers['content-length'], String(whole.body.length))
    assertFile(next, 'alpha')
  }
})

test('a method other than GET and HEAD goes to next()', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'TRACE']) {
    assertPassed(await site.get('/a.txt', { method }))
  }
  assert.deepEqual(site.passed, Array(7).fill([]))
})

test('with fallthrough: false a method other than GET and HEAD is answered with 405 and what is allowed', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, { fallthrough: false })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'TRACE']) {
    const { status, headers, body } = await site.get('/a.txt', { method })
    assert.deepEqual({ status, allow: headers.allow, length: body.length }, { status: 405, allow: 'GET, HEAD', length: 0 })
  }
  assert.deepEqual(site.passed, [])
})

test('the body of a request that is passed on can still be read', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const bytes = await exchange(t, site.port,
    `${ask('/a.txt', { method: 'POST', last: false, headers: ['Content-Length: 5'] })}hello`, ask('/a.txt'))
  const [post, whole] = answersIn(bytes)
  assert.equal(post.status, 404)
  assertFile(whole, 'alpha')
})

test('the status that the caller set stays', async (t) => {
  const site = await serveFolder(t, { '404.html': 'not here' }, {}, { before: (req, res) => { res.statusCode = 404 } })
  assertFile(await site.get('/404.html'), 'not here', { status: 404 })
})

test('fields that the caller set, several of one name too, arrive', async (t) => {
  const before = (req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.setHeader('X-Latin', 'caf\u00e9')
    res.setHeader('x-lower', 'as written')
  }
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, {}, { before })
  const { fields, headers } = await site.get('/a.txt')
  assert.deepEqual(fields.filter((field) => field.startsWith('Set-Cookie')), ['Set-Cookie: a=1', 'Set-Cookie: b=2'])
  assert.equal(headers['x-latin'], 'caf\u00e9')
  assert.ok(fields.includes('x-lower: as written'))
})

test('writeHead that somebody listens in on sees the head of every response', async (t) => {
  const heads = []
  const before = (req, res) => {
    const { writeHead } = res
    res.writeHead = function (status, ...rest) {
      heads.push(status)
      this.setHeader('X-Late', 'added')
      return writeHead.call(this, status, ...rest)
    }
  }
  const site = await serveFolder(t, { 'a.txt': 'alpha', 'big.bin': Buffer.alloc(3_000_000, 1) }, {}, { before })
  for (const name of ['/a.txt', '/big.bin']) {
    const answer = await site.get(name)
    assert.equal(answer.headers['x-late'], 'added')
    assert.equal(answer.status, 200)
  }
  assert.deepEqual(heads, [200, 200])
})

test('files of all sizes arrive as they are', async (t) => {
  const sizes = [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 262_144, 1_048_577, 5_000_001]
  const bytes = Buffer.from(Array.from({ length: 5_000_001 }, (_, i) => (i * 31 >> 3) & 255))
  const files = Object.fromEntries(sizes.map((size) => [`${size}.bin`, bytes.subarray(0, size)]))
  const site = await serveFolder(t, files)
  for (const size of sizes) {
    const { status, headers, body } = await site.get(`/${size}.bin`)
    assert.deepEqual({ status, length: headers['content-length'] }, { status: 200, length: String(size) })
    assert.equal(sha256(body), sha256(bytes.subarray(0, size)))
  }
})
