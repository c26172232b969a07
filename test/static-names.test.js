'use strict'

// Which file a URL means to serveStatic, and what it does when there is none; which a path means to serveFile.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { test } = require('./helpers')
const { serve, get } = require('./helpers/http')
const { assertFile, assertPassed, folderOf, serveFolder, serveOne, write } = require('./helpers/static')

test('files in folders are served, the query is not part of the name', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha', one: { two: { 'b.txt': 'beta' } } })
  assertFile(await site.get('/a.txt'), 'alpha')
  assertFile(await site.get('/one/two/b.txt'), 'beta')
  assertFile(await site.get('/a.txt?b.txt'), 'alpha')
  assertFile(await site.get('/a.txt?../../x#y'), 'alpha')
  assertFile(await site.get('//a.txt'), 'alpha')
  assertFile(await site.get('/one//two/./b.txt'), 'beta')
  assertFile(await site.get('/one/../a.txt'), 'alpha')
  assertFile(await site.get('/not-there/../a.txt'), 'alpha')
})

test('a name is decoded once', async (t) => {
  const names = [
    'with space.txt', '100%.txt', 'a%20b.txt', '%2e%2e', 'question?.txt', 'hash#.txt', 'plus+.txt', 'amp&.txt', 'semi;colon.txt',
    'snow \u2603.txt', '\u{1f4a9}.txt', 'caf\u00e9.txt', 'cafe\u0301.txt', 'back\\slash.txt', 'quote".txt', 'new\nline.txt',
    'colon:.txt', 'at@.txt', '~tilde.txt', '...', '..two', 'two..', 'a..b', `${'n'.repeat(251)}.txt`
  ]
  const site = await serveFolder(t, Object.fromEntries(names.map((name) => [name, `contents of ${name}`])), { dotfiles: 'allow' })
  for (const name of names) assertFile(await site.get(`/${encodeURIComponent(name)}`), `contents of ${name}`)
})

test('bytes above 127 that nobody encoded do no harm', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  for (const target of ['/caf\u00e9.txt', '/\u2603', '/a.txt\u00ff']) {
    assert.notEqual((await site.get(target)).status, 200)
  }
  assertFile(await site.get('/a.txt'), 'alpha')
})

test('what is not there goes to next()', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha', folder: {} })
  for (const target of ['/missing', '/a.txt/', '/a.txt/b', '/folder/missing', `/${'n'.repeat(256)}`, `/${'d/'.repeat(3000)}`]) {
    assertPassed(await site.get(target))
  }
  assert.deepEqual(site.passed, Array(6).fill([]))
})

test('with fallthrough: false it goes to next(err), an error as http-errors makes them', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha', folder: {} }, { fallthrough: false })
  for (const [target, status, code, name] of [
    ['/missing', 404, 'ENOENT', 'NotFoundError'],
    ['/a.txt/b', 404, 'ENOTDIR', 'NotFoundError'],
    [`/${'n'.repeat(256)}`, 404, 'ENAMETOOLONG', 'NotFoundError'],
    ['/%', 400, undefined, 'BadRequestError'],
    ['/a%00.txt', 400, undefined, 'BadRequestError'],
    ['/../a.txt', 403, undefined, 'ForbiddenError']
  ]) {
    site.passed.length = 0
    assertPassed(await site.get(target), status)
    const [[err, ...more]] = site.passed
    assert.deepEqual(more, [])
    assert.ok(err instanceof Error)
    assert.deepEqual({ status: err.status, statusCode: err.statusCode, code: err.code },
      { status, statusCode: status, code }, target)
    assert.ok(err.name === name || err.message.includes(code), `${err}: says what it is`)
    assert.equal(typeof err.expose, 'boolean')
    if (err.expose) assert.ok(!err.message.includes(site.folder), 'what may be shown does not tell where the folder is')
  }
})

test('without next(), what is not found or not permitted is answered', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  for (const fallthrough of [true, false]) {
    const handler = serveStatic(folder, { fallthrough })
    const { port } = await serve(t, (req, res) => { handler(req, res) })
    for (const target of ['/missing', '/..%2fa.txt', '/%', '/a.txt/']) {
      const { status, body } = await get(t, port, target)
      assert.ok([400, 403, 404].includes(status), `${target}: ${status}`)
      assert.ok(!body.includes(folder))
    }
    const range = await get(t, port, '/a.txt', { headers: ['Range: bytes=9-'] })
    assert.deepEqual({ status: range.status, is: range.headers['content-range'] }, { status: 416, is: 'bytes */5' })
    assert.equal((await get(t, port, '/a.txt', { headers: ['If-Match: "other"'] })).status, 412)
    assert.ok([404, 405].includes((await get(t, port, '/a.txt', { method: 'POST' })).status))
    assertFile(await get(t, port, '/a.txt'), 'alpha')
  }
})

test('the answer to what is not found has none of the fields of a file', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, { setHeaders: (res) => res.setHeader('X-Own', '1') })
  for (const target of ['/missing.txt', '/..%2fa.txt', '/.hidden']) {
    const { headers } = await site.get(target)
    for (const name of ['etag', 'last-modified', 'cache-control', 'accept-ranges', 'content-type', 'x-own']) {
      assert.equal(headers[name], undefined, `${target}: ${name}`)
    }
  }
})

const DOTTED = { '.hidden': 'h', '.well-known': { 'a.txt': 'w' }, 'a.txt': 'alpha', sub: { '.b': { 'c.txt': 'c' } } }
const DOT_NAMES = ['/.hidden', '/.well-known/a.txt', '/%2ehidden', '/sub/.b/c.txt', '/sub/..%2f.hidden']

for (const [dotfiles, answer] of [[undefined, 404], ['ignore', 404], ['deny', 403]]) {
  test(`dotfiles: ${dotfiles}: what begins with a dot, or is in a folder that does, is answered with ${answer}`, async (t) => {
    const options = dotfiles ? { dotfiles } : {}
    const strict = await serveFolder(t, DOTTED, { ...options, fallthrough: false })
    const loose = await serveFolder(t, DOTTED, options)
    for (const name of [...DOT_NAMES, '/.missing', '/.well-known/']) {
      assertPassed(await strict.get(name), answer)
      assertPassed(await loose.get(name))
    }
    assertFile(await strict.get('/a.txt'), 'alpha')
    assertFile(await strict.get('/./a.txt'), 'alpha')
  })
}

test('dotfiles: allow: names that begin with a dot are names', async (t) => {
  const site = await serveFolder(t, DOTTED, { dotfiles: 'allow' })
  const contents = await Promise.all(DOT_NAMES.map(async (name) => String((await site.get(name)).body)))
  assert.deepEqual(contents, ['h', 'w', 'h', 'c', 'h'])
  assertPassed(await site.get('/.missing'))
})

test('a folder that begins with a dot above the root is no concern', async (t) => {
  const site = await serveFolder(t, path.join(folderOf(t, { '.dot': { root: { 'a.txt': 'alpha' } } }), '.dot', 'root'))
  assertFile(await site.get('/a.txt'), 'alpha')
})

test('a folder is answered with its index', async (t) => {
  const site = await serveFolder(t, { 'index.html': 'top', sub: { 'index.html': 'sub', 'index.htm': 'other' }, bare: {} })
  assertFile(await site.get('/'), 'top')
  const answer = await site.get('/sub/')
  assertFile(answer, 'sub')
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8')
  assertPassed(await site.get('/bare/'))
  assertFile(await site.get('/?query'), 'top')
})

test('index is a list to try in turn, or off', async (t) => {
  const files = { one: { 'default.htm': 'one' }, two: { 'default.htm': 'two', 'start.html': 'start' }, odd: { 'start.html': {}, 'default.htm': 'odd' } }
  const listed = await serveFolder(t, files, { index: ['start.html', 'default.htm'] })
  assertFile(await listed.get('/one/'), 'one')
  assertFile(await listed.get('/two/'), 'start')
  assertFile(await listed.get('/odd/'), 'odd') // a folder is no index
  const single = await serveFolder(t, files, { index: 'default.htm' })
  assertFile(await single.get('/two/'), 'two')
  for (const index of [false, []]) {
    const off = await serveFolder(t, { 'index.html': 'top' }, { index })
    assertPassed(await off.get('/'))
    assertFile(await off.get('/index.html'), 'top')
  }
})

test('extensions are tried in turn behind a name that is not there', async (t) => {
  const files = { 'a.html': 'html', 'a.htm': 'htm', 'b.htm': 'b', c: 'c itself', 'c.html': 'not c', 'd.e': { }, 'd.html': {}, 'd.htm': 'd', f: { } }
  const site = await serveFolder(t, files, { extensions: ['html', 'htm'], redirect: false })
  const answer = await site.get('/a')
  assertFile(answer, 'html')
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8')
  assertFile(await site.get('/b'), 'b')
  assertFile(await site.get('/c'), 'c itself')
  assertFile(await site.get('/d'), 'd') // a folder is not what was meant
  assertPassed(await site.get('/a/'))
  assertPassed(await site.get('/g'))
  const single = await serveFolder(t, files, { extensions: 'htm' })
  assertFile(await single.get('/a'), 'htm')
  const off = await serveFolder(t, files, { extensions: false })
  assertPassed(await off.get('/a'))
})

test('a folder without its slash is redirected to the one with it', async (t) => {
  const site = await serveFolder(t, { sub: { 'index.html': 'sub', deep: {} }, 'sn\u00f6w \u2603': {}, 'q?': {} })
  for (const [target, location] of [
    ['/sub', '/sub/'],
    ['/sub?a=b&c', '/sub/?a=b&c'],
    ['/sub/deep', '/sub/deep/'],
    ['//sub', '/sub/'],
    ['///sub', '/sub/'],
    ['/sn%C3%B6w%20%E2%98%83', '/sn%C3%B6w%20%E2%98%83/'],
    ['/q%3f', '/q%3f/']
  ]) {
    const { status, headers, body } = await site.get(target)
    assert.deepEqual({ status, location: headers.location }, { status: 301, location })
    assert.match(headers['content-type'], /^text\/html/)
    assert.equal(headers['content-security-policy'], 'default-src \'none\'')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['content-length'], String(body.length))
    assert.equal(headers.etag, undefined)
  }
  const { status, body } = await site.get('/sub', { method: 'HEAD' })
  assert.deepEqual({ status, length: body.length }, { status: 301, length: 0 })
})

test('no redirect leads to another host', async (t) => {
  const site = await serveFolder(t, { 'evil.example': {}, sub: { 'evil.example': {} } })
  for (const target of [
    '//evil.example', '///evil.example', '/\\evil.example', '/%5cevil.example', '/%2fevil.example', '//evil.example/..',
    '/%2f%2fevil.example', '/./evil.example', '//sub/../evil.example', '/\t/evil.example',
    '/%09/evil.example', '/sub/..//evil.example'
  ]) {
    const { status, headers } = await site.get(target)
    if (status !== 301) continue
    assert.match(headers.location, /^\/(?![/\\])/, target)
    assert.equal(new URL(headers.location, 'http://here.example/').host, 'here.example', target)
  }
  assert.equal((await site.get('//evil.example')).headers.location, '/evil.example/')
})

test('what is in the URL is no markup in the page that redirects', async (t) => {
  const name = '<script>alert(1)<'
  const site = await serveFolder(t, { [name]: {} })
  for (const target of [`/${name}`, `/${encodeURIComponent(name)}`, `/${encodeURIComponent(name)}?<script>"'`]) {
    const { body, headers } = await site.get(target)
    assert.ok(!body.includes('<script'), target)
    assert.ok(!/[<>"]/.test(headers.location ?? ''), target)
  }
})

test('a folder that an extension was guessed for is not redirected to', async (t) => {
  const site = await serveFolder(t, { 'a.html': {}, b: {} }, { extensions: ['html'] })
  assertPassed(await site.get('/a'))
  assert.equal((await site.get('/b')).headers.location, '/b/')
})

test('a response that somebody else has begun meanwhile is left to them', async (t) => {
  const folder = folderOf(t, { sub: {} })
  for (const target of ['/sub', '/missing']) {
    const served = await serve(t, (req, res) => {
      res.end('own answer')
      return new Promise((resolve) => serveStatic(folder)(req, res, resolve))
    })
    const { status, body } = await get(t, served.port, target)
    assert.deepEqual([status, String(body)], [200, 'own answer'])
    assert.equal(await served.calls[0], undefined)
  }
})

test('redirect: false: a folder without its slash is not found', async (t) => {
  const site = await serveFolder(t, { sub: { 'index.html': 'sub' } }, { redirect: false })
  assertPassed(await site.get('/sub'))
  assertFile(await site.get('/sub/'), 'sub')
})

test('mounted, a redirect is relative to the original URL, and the mount itself is redirected', async (t) => {
  const before = (req) => {
    req.originalUrl = req.url
    req.url = req.url.replace(/^\/static/, '') || '/'
    if (!req.url.startsWith('/')) req.url = `/${req.url}`
  }
  const site = await serveFolder(t, { 'index.html': 'top', sub: {} }, {}, { before })
  assert.equal((await site.get('/static/sub')).headers.location, '/static/sub/')
  assert.equal((await site.get('/static/sub?x')).headers.location, '/static/sub/?x')
  assert.equal((await site.get('/static')).headers.location, '/static/')
  assert.equal((await site.get('/static?x=y')).headers.location, '/static/?x=y')
  assertFile(await site.get('/static/'), 'top')
})

test('a root that is a file is sent where it is mounted, and nothing below it', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha', 'a.txt.gz': 'coded' })
  const before = (req) => {
    req.originalUrl = req.url
    req.url = req.url.replace(/^\/static/, '') || '/'
  }
  const site = await serveFolder(t, path.join(folder, 'a.txt'), {}, { before })
  const answer = await site.get('/static')
  assertFile(answer, 'alpha')
  assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal((await site.get('/static', { headers: ['Range: bytes=1-2'] })).status, 206)
  for (const target of ['/static/', '/static/a.txt', '/static/../b']) assertPassed(await site.get(target))
  const coded = await serveFolder(t, path.join(folder, 'a.txt'), { precompressed: true }, { before })
  assertFile(await coded.get('/static', { headers: ['Accept-Encoding: gzip'] }), 'coded')
  fs.rmSync(path.join(folder, 'a.txt'))
  assertPassed(await site.get('/static'))
})

test('options that make no sense are refused at once', () => {
  assert.throws(() => serveStatic(), TypeError)
  for (const root of [null, 42, {}, '', ['.'], Buffer.from('.')]) assert.throws(() => serveStatic(root), TypeError, String(root))
  for (const [option, values] of Object.entries({
    dotfiles: ['no', 1, true, null],
    index: [3, true, [1], {}],
    extensions: [3, true, [null], {}],
    setHeaders: [3, 'function', {}],
    precompressed: ['br', 1, ['deflate'], [1], {}],
    maxAge: [{}, [], () => {}]
  })) {
    for (const value of values) {
      assert.throws(() => serveStatic('.', { [option]: value }), (err) => {
        assert.ok(err instanceof TypeError)
        assert.match(err.code, /^ERR_INVALID_ARG_(TYPE|VALUE)$/)
        assert.ok(err.message.includes(option), `${err.message}: names ${option}`)
        return true
      }, `${option}: ${JSON.stringify(value)}`)
    }
  }
  for (const options of [{ toString: true }, { constructor: 1 }, JSON.parse('{ "__proto__": {} }')]) {
    assert.throws(() => serveStatic('.', options), { code: 'ERR_INVALID_ARG_VALUE' }, Object.keys(options)[0])
  }
  assert.throws(() => serveStatic('/a\0b'), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('options are taken when the handler is made, and left as they are', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha', '.b': 'b' })
  const options = Object.freeze({ dotfiles: 'allow', maxAge: 5000, index: Object.freeze(['x']) })
  assertFile(await (await serveFolder(t, folder, options)).get('/.b'), 'b')
  const changing = { dotfiles: 'ignore' }
  const site = await serveFolder(t, folder, changing)
  changing.dotfiles = 'allow'
  assertPassed(await site.get('/.b'))
  for (const nothing of [undefined, {}, Object.create(null)]) {
    assertFile(await (await serveFolder(t, folder, nothing)).get('/a.txt'), 'alpha')
  }
  assertFile(await (await serveFolder(t, folder, Object.create({ dotfiles: 'allow' }))).get('/.b'), 'b')
})

test('a relative root is below the folder that was the current one when the handler was made', async (t) => {
  const folder = folderOf(t, { site: { 'a.txt': 'alpha' } })
  const before = process.cwd()
  t.after(() => process.chdir(before))
  process.chdir(folder)
  const site = await serveFolder(t, 'site')
  process.chdir(before)
  assertFile(await site.get('/a.txt'), 'alpha')
})

test('a root that is not there yet is served from as soon as it is', async (t) => {
  const folder = folderOf(t, {})
  const site = await serveFolder(t, path.join(folder, 'later'))
  assertPassed(await site.get('/a.txt'))
  write(folder, { later: { 'a.txt': 'alpha' } })
  assertFile(await site.get('/a.txt'), 'alpha')
  fs.rmSync(path.join(folder, 'later'), { recursive: true })
  assertPassed(await site.get('/a.txt'))
  write(folder, { later: { 'a.txt': 'again' } })
  assertFile(await site.get('/a.txt'), 'again')
})

test('serveFile takes a path as it is, with a root below it', async (t) => {
  const folder = folderOf(t, { 'a b%20c.txt': 'odd', sub: { 'a.txt': 'alpha', '.dot': 'd' } })
  const whole = await serveOne(t, path.join(folder, 'a b%20c.txt'))
  assertFile(await whole.get('/ignored'), 'odd')
  for (const name of ['a b%20c.txt', './a b%20c.txt', './/./a b%20c.txt']) {
    assertFile(await (await serveOne(t, name, { root: folder })).get('/'), 'odd')
  }
  assertFile(await (await serveOne(t, 'sub/a.txt', { root: folder })).get('/'), 'alpha')
  assertFile(await (await serveOne(t, 'sub/.dot', { root: folder })).get('/'), 'd')
})

test('serveFile tells how it answered', async (t) => {
  const site = await serveOne(t, path.join(folderOf(t, { 'a.txt': '0123456789' }), 'a.txt'))
  const { headers } = await site.get('/')
  await site.get('/', { method: 'HEAD' })
  await site.get('/', { headers: ['Range: bytes=2-4'] })
  await site.get('/', { headers: [`If-None-Match: ${headers.etag}`] })
  const multi = await site.get('/', { headers: ['Range: bytes=0-1,5-6'] })
  const results = await Promise.all(site.calls)
  assert.deepEqual(results.map(({ statusCode, bytesSent }) => [statusCode, bytesSent]),
    [[200, 10], [200, 0], [206, 3], [304, 0], [206, multi.body.length]])
})

const REFUSED = [
  ['missing', 404, 'ENOENT'],
  ['a.txt/b', 404, 'ENOTDIR'],
  ['sub', 404, 'EISDIR'],
  ['sub/', 404, 'EISDIR'],
  ['.', 404, 'EISDIR'],
  ['../secret', 403],
  ['sub/../../secret', 403],
  ['sub/../a.txt', 403],
  ['sub/..', 403],
  ['..', 403],
  ['a.txt\0', 400],
  ['\ud800', 400],
  ['n'.repeat(256), 404, 'ENAMETOOLONG']
]

for (const [name, status, code] of REFUSED) {
  const title = JSON.stringify(name.length > 99 ? 'a name that is too long' : name)
  test(`serveFile rejects ${title} below a root with ${status}, before anything of the response was touched`, async (t) => {
    const folder = folderOf(t, { 'a.txt': 'alpha', sub: {} })
    const site = await serveOne(t, name, { root: folder, setHeaders: (res) => res.setHeader('X-Own', '1') })
    const answer = await site.get('/')
    const [{ err, headersSent, fields }] = site.rejected
    assert.deepEqual({ headersSent, fields, status: err.status, statusCode: err.statusCode },
      { headersSent: false, fields: [], status, statusCode: status })
    assert.ok(err instanceof Error)
    if (code) assert.equal(err.code, code)
    assert.equal(answer.status, status)
  })
}

test('serveFile refuses arguments that make no sense, as a rejection', async (t) => {
  const file = path.join(folderOf(t, { 'a.txt': 'alpha' }), 'a.txt')
  const refusals = []
  const { port } = await serve(t, async (req, res) => {
    for (const [name, ...args] of [
      ['nothing'], ['a request', req], ['no path', req, res], ['a number', req, res, 42], ['null', req, res, null],
      ['no text', req, res, ''], ['a Buffer', req, res, Buffer.from(file)], ['options that are none', req, res, file, 'options'],
      ['a root that is none', req, res, file, { root: 42 }], ['setHeaders', req, res, file, { setHeaders: 1 }],
      ['an unknown coding', req, res, file, { precompressed: ['deflate'] }], ['maxAge', req, res, file, { maxAge: {} }],
      ['no request', undefined, res, file], ['no response', req, undefined, file], ['an object for a request', {}, res, file],
      ['an object for a response', req, {}, file]
    ]) {
      let err
      try {
        const call = serveFile(...args)
        err = await call.then(() => null, (err) => err)
      } catch (thrown) {
        err = { code: `thrown, ${thrown.code}` }
      }
      refusals.push([name, err instanceof TypeError && /^ERR_INVALID_ARG_(TYPE|VALUE)$/.test(err.code) ? 'refused' : String(err?.code ?? err)])
    }
    return serveFile(req, res, file)
  })
  assertFile(await get(t, port, '/'), 'alpha')
  assert.deepEqual(refusals, refusals.map(([name]) => [name, 'refused']))
})
