'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { temporaryFolder, test, until } = require('./helpers')
const { HOST, startCli } = require('./helpers/cli')
const { entriesOf } = require('../lib/cli/entries')
const { sendListing } = require('../lib/cli/send-listing')
const { sortInTurns, sortingKey } = require('../lib/cli/natural-order')

/** The rows of a listing: `{ name, href, size, time }`, as a browser reads them. */
function rowsOf (html) {
  const rows = [...html.matchAll(/<tr><td>(?:<a(?: class="folder")? href="([^"]*)">|<span class="none">)([^<]*)<\/(?:a|span)><\/td><td>(?:<data value="(\d+)">[^<]*<\/data>)?<\/td><td>(?:<time datetime="([^"]*)">[^<]*<\/time>)?<\/td><\/tr>\n/g)]
  // Nothing that a name brought with it is left over.
  assert.equal(rows.length, html.split('<tr><td>').length - 1)
  return rows.map(([, href, text, size, time]) => ({ name: unescape(text), href, size: size && Number(size), time }))
}

function unescape (text) {
  return text.replace(/&(lt|gt|amp|quot|#39);/g, (entity, name) => ({ lt: '<', gt: '>', amp: '&', quot: '"', '#39': '\'' })[name])
}

/** A folder of files that have these names; `asked` is called when it is asked about one. */
function folderOf (names, asked = () => {}) {
  return {
    async* entries () {
      for (const name of names) {
        yield { name: Buffer.from(name), isDirectory: () => false, isFile: () => true, isSymbolicLink: () => false }
      }
    },
    async lstat () {
      asked()
      return { size: 0, mtime: new Date(0) }
    }
  }
}

const namesIn = (html) => rowsOf(html).map(({ name }) => name)

test('a listing shows folders first, names as people sort them, sizes and times', async (t) => {
  const folder = temporaryFolder(t)
  for (const name of ['file10', 'file9', 'File 1', 'Éclair', 'eclipse', 'zebra', '2', '10', '007', 'x12345678901', 'x2345678901']) {
    fs.writeFileSync(path.join(folder, name), name)
  }
  for (const name of ['zoo', 'Attic']) fs.mkdirSync(path.join(folder, name))
  fs.truncateSync(path.join(folder, 'zebra'), 1536)
  fs.utimesSync(path.join(folder, 'zebra'), 0, 86_400)
  fs.utimesSync(path.join(folder, 'eclipse'), 0, 1e13) // a time that is no Date
  const { get } = await startCli(t, folder)
  const { status, headers, text } = await get('/')
  assert.equal(status, 200)
  assert.deepEqual(namesIn(text), ['Attic/', 'zoo/', '2', '007', '10', 'Éclair', 'eclipse', 'File 1', 'file9', 'file10',
    'x2345678901', 'x12345678901', 'zebra'])
  assert.deepEqual(rowsOf(text).at(-1), { name: 'zebra', href: 'zebra', size: 1536, time: '1970-01-02T00:00:00.000Z' })
  assert.match(text, />1\.5 KiB</)
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  assert.match(headers['content-security-policy'], /^default-src 'none'; .*style-src 'sha256-[^ ']+'$/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.doesNotMatch(text, /<script|https?:\/\//)
})

test('names with anything in them are shown as they are, and their links lead to them', async (t) => {
  const folder = temporaryFolder(t)
  const names = ['a b', ' leading', '"quoted"', '\'single\'', '<script>alert(1)<x>', '&amp;', '100%', '%41', '%2e%2e', '#hash',
    '?query', 'semi;colon', 'a:b', 'javascript:alert(1)', 'back\\slash', 'http:', '~', '日本語', 'naïve', '🦀', 'é', '*', '|', '{}', '+',
    'a&b=c', 'x'.repeat(255), 'null', 'constructor', '__proto__']
  const controls = { 'new\nline': 'new\\x0aline', 'tab\there': 'tab\\x09here', '\x1b[31mred': '\\x1b[31mred', 'exe\u202etxt': 'exe\\u202etxt' }
  for (const name of [...names, ...Object.keys(controls)]) fs.writeFileSync(path.join(folder, name), name)
  for (const name of ['folder <b>%23', 'colon:folder']) {
    fs.mkdirSync(path.join(folder, name))
    fs.writeFileSync(path.join(folder, name, 'inside'), name)
  }
  const { get, lines } = await startCli(t, folder)
  const { text } = await get('/')
  const rows = rowsOf(text)
  assert.deepEqual(rows.map(({ name }) => name).sort(),
    [...names, ...Object.values(controls), 'folder <b>%23/', 'colon:folder/'].sort())
  for (const { name, href } of rows) {
    const { pathname, host } = new URL(href, 'http://host/')
    assert.equal(host, 'host', name)
    const { status, text } = await get(pathname)
    assert.equal(status, 200, name)
    if (!name.endsWith('/')) {
      const [original = name] = Object.entries(controls).find(([, shown]) => shown === name) ?? []
      assert.equal(text, original)
    } else {
      assert.deepEqual(namesIn(text), ['../', 'inside'])
      assert.equal((await get(`${pathname}inside`)).text, name.slice(0, -1))
    }
  }

  for (const line of lines()) assert.match(line, /^[\x20-\x7e]+$/)
})

test('a name that is no UTF-8 is shown, without a link', async (t) => {
  const folder = temporaryFolder(t)
  fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]), 'latin1')
  fs.writeFileSync(path.join(folder, 'a real \ufffd'), 'replacement')
  const { get } = await startCli(t, folder)
  const [real, broken] = rowsOf((await get('/')).text)
  assert.deepEqual([real.name, real.href], ['a real \ufffd', 'a%20real%20%EF%BF%BD'])
  assert.deepEqual([broken.name, broken.href], ['caf\ufffd', undefined])
  assert.equal((await get('/caf%e9')).status, 400)
})

test('what begins with a dot is neither shown nor served', async (t) => {
  const folder = temporaryFolder(t)
  fs.mkdirSync(path.join(folder, '.git'))
  for (const name of ['.env', '.git/config', 'seen', '...']) fs.writeFileSync(path.join(folder, name), name)
  const { get } = await startCli(t, folder)
  assert.deepEqual(namesIn((await get('/')).text), ['seen'])
  for (const url of ['/.env', '/%2eenv', '/.git', '/.git/', '/.git/config', '/seen/../.env', '/.../', '/...', '/%2egit%2fconfig']) {
    assert.ok([403, 404].includes((await get(url)).status), url)
  }
})

test('nothing outside the folder is listed or served', async (t) => {
  const parent = temporaryFolder(t)
  const folder = path.join(parent, 'shared')
  for (const name of ['shared/inside', 'outside', 'shared-too']) fs.mkdirSync(path.join(parent, name), { recursive: true })
  for (const name of ['shared/inside/file', 'outside/secret', 'shared-too/secret']) fs.writeFileSync(path.join(parent, name), name)
  const links = { there: 'inside', file: 'inside/file', up: '..', out: '../outside', absolute: '/etc', secret: '../outside/secret', near: '../shared-too', nowhere: 'missing', loop: 'loop' }
  for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, path.join(folder, name))
  // Absolute ones, and those that go out and come back, are followed or not: but as they are shown.
  const back = { absoluteBack: path.join(folder, 'inside'), absoluteFile: path.join(folder, 'inside/file'), outAndBack: '../shared/inside' }
  for (const [name, target] of Object.entries(back)) fs.symlinkSync(target, path.join(folder, name))
  execFileSync('mkfifo', [path.join(folder, 'fifo')])
  const { get } = await startCli(t, folder)
  const linked = rowsOf((await get('/')).text).filter(({ href }) => href !== undefined).map(({ name }) => name)
  assert.deepEqual(linked.filter((name) => !(name.replace('/', '') in back)), ['inside/', 'there/', 'file'])
  for (const name of Object.keys(back)) {
    const isFile = name === 'absoluteFile'
    const isLinked = linked.includes(isFile ? name : `${name}/`)
    for (const url of isFile ? [`/${name}`] : [`/${name}/`, `/${name}/file`]) {
      assert.equal((await get(url)).status, isLinked ? 200 : 404, url)
    }
  }
  assert.deepEqual(namesIn((await get('/there/')).text), ['../', 'file'])
  assert.equal((await get('/file')).text, 'shared/inside/file')
  for (const name of ['up', 'out', 'absolute', 'near', 'nowhere', 'loop', 'secret', 'fifo', 'inside/file', 'missing']) {
    assert.equal((await get(`/${name}/`)).status, 404, `${name}/`)
    if (name !== 'inside/file') assert.equal((await get(`/${name}`)).status, 404, name)
  }
  for (const url of ['/..', '/../', '/../outside/', '/%2e%2e/outside/', '/%2e%2e%2foutside/secret', '/inside/../../outside/secret',
    '/..%5coutside', '/out/secret', '/near/secret']) {
    assert.ok([403, 404].includes((await get(url)).status), url)
  }
  for (const url of ['/%00', '/%zz', '/a%00/']) assert.equal((await get(url)).status, 400, url)
})

test('a folder that is exchanged for a link while it is listed does not lead outside', async (t) => {
  const parent = temporaryFolder(t)
  for (const name of ['shared/changing', 'outside']) fs.mkdirSync(path.join(parent, name), { recursive: true })
  fs.writeFileSync(path.join(parent, 'shared/changing/mine'), '')
  fs.writeFileSync(path.join(parent, 'outside/secret'), '')
  fs.symlinkSync('../outside', path.join(parent, 'shared/link'))
  const changing = spawn(process.execPath, ['-e', `
    const { renameSync } = require('fs')
    console.log('begun')
    for (;;) {
      renameSync('changing', 'kept'); renameSync('link', 'changing'); renameSync('changing', 'link'); renameSync('kept', 'changing')
    }`], { cwd: path.join(parent, 'shared') })
  t.after(() => changing.kill('SIGKILL'))
  await once(changing.stdout, 'data')
  const { get } = await startCli(t, path.join(parent, 'shared'))
  const seen = { 200: 0, 404: 0 }
  await until(async () => {
    const { status, text } = await get('/changing/')
    seen[status]++
    if (status === 200) assert.ok(!namesIn(text).includes('secret'))
    return seen[200] >= 100 && seen[404] >= 100
  })
  changing.kill('SIGKILL')
})

test('index.html is what a folder shows, where there is one', async (t) => {
  const folder = temporaryFolder(t)
  for (const name of ['site', 'empty/index.html']) fs.mkdirSync(path.join(folder, name), { recursive: true })
  fs.writeFileSync(path.join(folder, 'site', 'index.html'), '<h1>Home</h1>')
  const { get } = await startCli(t, folder)
  assert.equal((await get('/site/')).text, '<h1>Home</h1>')
  assert.deepEqual(namesIn((await get('/empty/')).text), ['../', 'index.html/'])
  const empty = await get('/empty/index.html/')
  assert.deepEqual(namesIn(empty.text), ['../'])
  assert.match(empty.text, /There is nothing here/)
})

test('a folder without its slash is redirected, and stays on this host', async (t) => {
  const folder = temporaryFolder(t)
  fs.mkdirSync(path.join(folder, 'a b', 'c'), { recursive: true })
  const { get } = await startCli(t, folder)
  for (const [url, location] of [['/a%20b', '/a%20b/'], ['/a%20b/c?x=1', '/a%20b/c/?x=1'], ['//a%20b', '/a%20b/']]) {
    const { status, headers } = await get(url)
    assert.deepEqual([url, status, headers.location], [url, 301, location])
  }
  const { text } = await get('/a%20b/c/')
  assert.match(text, new RegExp(`<h1><a href="../../">${path.basename(folder)}/</a><wbr><a href="../">a b/</a><wbr>c/</h1>`))
})

test('HEAD of a listing has its head, other methods are not allowed', async (t) => {
  const { get } = await startCli(t, temporaryFolder(t))
  const head = await get('/', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-type'], head.bytes.length], [200, 'text/html; charset=utf-8', 0])
  assert.equal((await get('/missing/', { method: 'HEAD' })).status, 404)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await get('/', { method })
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'])
  }
})

test('20,000 names are listed, in order', async (t) => {
  const folder = temporaryFolder(t)
  const expected = Array.from({ length: 20_000 }, (none, index) => `entry ${index}`)
  for (const name of [...expected].reverse()) fs.writeFileSync(path.join(folder, name), '')
  const { get } = await startCli(t, folder)
  const { text } = await get('/')
  assert.deepEqual(namesIn(text), expected)
  assert.doesNotMatch(text, /There are more/)
})

test('a client that leaves a listing leaves nothing open', async (t) => {
  const folder = temporaryFolder(t)
  const long = '\u65e5'.repeat(80) // three bytes each, and nine in a URL: more in all than sockets take
  for (let i = 0; i < 8_000; i++) fs.writeFileSync(path.join(folder, `${long}${i}`), '')
  const { ask, held, line } = await startCli(t, folder)
  const response = await ask('/')
  response.on('error', () => {}) // aborted
  assert.deepEqual(held(folder), [folder], 'it is made while it is sent')
  response.destroy()
  assert.match(await line(/./), /^127\.0\.0\.1 GET \/ 200 \d+ bytes in [^,]+, [^,]+, aborted$/)
  await until(() => held(folder).length === 0)
})

test('a listing whose client leaves while it is made is not told as sent', async (t) => {
  const names = Array.from({ length: 100 }, (none, index) => `n${index}`)
  const sent = new Promise((resolve) => {
    const server = http.createServer(async (req, res) => {
      const folder = folderOf(names, () => req.socket.destroy())
      await sendListing(req, res, folder, { title: 'shared', parts: [] })
      assert.equal(res.destroyed, false, 'the response has not heard of it yet')
      resolve(res)
    })
    t.after(() => server.close())
    server.listen(0, HOST, () => net.connect(server.address().port, HOST).on('error', () => {}).write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  })
  const res = await sent
  assert.equal(res.writableEnded, false)
})

test('a folder that has too many names shows so many, and says so', async () => {
  const folder = folderOf(Array.from({ length: 50 }, (none, index) => `n${index}`))
  const { entries, isWhole } = await entriesOf(folder, { most: 20 })
  assert.deepEqual([entries.length, isWhole], [20, false])
  assert.deepEqual((await entriesOf(folder, { most: 50 })).isWhole, true)
  const { pageEnd } = require('../lib/cli/listing-page')
  assert.match(pageEnd(20, false), /There are more than these 20\./)
})

test('sorting many names lets others have their turn', async () => {
  const names = Array.from({ length: 100_000 }, () => Math.random().toString(36))
  let turns = 0
  let isSorting = true
  const count = () => {
    turns++
    if (isSorting) setImmediate(count)
  }
  setImmediate(count)
  const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0
  const sorted = await sortInTurns(names, compare)
  isSorting = false
  assert.deepEqual(sorted, [...names].sort(compare))
  assert.ok(turns > 25, `${turns} turns`)
})

test('numbers in names are sorted by their value, however long they are', () => {
  const sorted = ['a', 'a0', 'a1', 'a02', 'a10', `a${'9'.repeat(8)}`, `a1${'0'.repeat(8)}`, `a1${'0'.repeat(9)}`, `a${'9'.repeat(17)}`,
    `a1${'0'.repeat(17)}`, `a2${'0'.repeat(17)}`, `a1${'0'.repeat(40)}`]
  assert.deepEqual([...sorted].reverse().sort((a, b) => sortingKey(a) < sortingKey(b) ? -1 : 1), sorted)
})

test('a listing that waits behind a download holds nothing any more when its client has gone', async (t) => {
  const folder = temporaryFolder(t)
  fs.mkdirSync(path.join(folder, 'sub'))
  for (let i = 0; i < 3000; i++) fs.writeFileSync(path.join(folder, 'sub', `a long name, so that the listing is long, ${i}`), '')
  fs.writeFileSync(path.join(folder, 'large'), '')
  fs.truncateSync(path.join(folder, 'large'), 1 << 30)
  const { port, held, end, lines } = await startCli(t, folder)
  for (let i = 0; i < 3; i++) {
    const client = net.connect(port, HOST)
    client.on('error', () => {})
    client.write('GET /large HTTP/1.1\r\nHost: localhost\r\n\r\nGET /sub/ HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until(() => held(path.join(folder, 'sub')).length === 1)
    client.destroy()
    await until(() => lines().length === 2 * (i + 1))
  }
  assert.deepEqual(held(folder), [])
  assert.equal((await end()).code, 0)
})

test('what is no URL is told so', async (t) => {
  const { port, line } = await startCli(t, temporaryFolder(t))
  const client = net.connect(port, HOST)
  client.end('GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  const [answer] = await once(client, 'data')
  assert.match(String(answer), /^HTTP\/1\.1 400 /)
  assert.match(await line(/http:/), /400/)
})
