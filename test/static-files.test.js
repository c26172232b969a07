'use strict'

// What is no regular file is not served, and nobody waits for it; what changed on the disk is served changed.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { serveFile } = require('sendfile-native/static')
const { MIB, descriptors, run, test, until } = require('./helpers')
const { answersIn, ask, connect, exchange, get, held, readAll, serve } = require('./helpers/http')
const { MODIFIED, assertFile, assertPassed, folderOf, serveFolder, serveOne, write } = require('./helpers/static')

function make (command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** A folder with one of each kind. */
async function kinds (t) {
  const folder = folderOf(t, { 'a.txt': 'alpha', folder: { 'b.txt': 'beta' }, 'fifo-link': { link: 'fifo' }, 'device-link': { link: '/dev/zero' } })
  assert.ok(make('mkfifo', path.join(folder, 'fifo')))
  const listener = net.createServer().listen(path.join(folder, 'socket'))
  await once(listener, 'listening')
  t.after(() => listener.close())
  let connections = 0
  listener.on('connection', () => { connections++ })
  const names = ['fifo', 'socket', 'fifo-link', 'device-link']
  // One that never ends, one that has nothing, one that waits for somebody to press a key.
  for (const [name, minor] of [['zero', 5], ['null', 3]]) {
    if (make('mknod', path.join(folder, name), 'c', '1', String(minor))) names.push(name)
  }
  if (make('mknod', path.join(folder, 'tty'), 'c', '5', '0')) names.push('tty')
  if (make('mknod', path.join(folder, 'block'), 'b', '7', '200')) names.push('block')
  return { folder, names, connections: () => connections }
}

test('FIFOs, sockets and devices are not found, and nothing waits for them', async (t) => {
  const { folder, names, connections } = await kinds(t)
  const before = descriptors().size
  for (const fallthrough of [true, false]) {
    const site = await serveFolder(t, folder, { fallthrough })
    const requests = names.flatMap((name) => [ask(`/${name}`, { last: false }), ask('/a.txt', { last: false })])
    const answers = answersIn(await exchange(t, site.port, ...requests, ask('/a.txt')))
    names.forEach((name, i) => {
      assertPassed(answers[2 * i], fallthrough ? undefined : 404)
      assertFile(answers[2 * i + 1], 'alpha')
    })
  }
  assert.equal(connections(), 0)
  await until(() => descriptors().size <= before + 2) // the two servers
})

test('serveFile says of them that they are no regular files', async (t) => {
  const { folder, names } = await kinds(t)
  for (const root of [undefined, folder]) {
    for (const name of names.filter((name) => root === undefined || name !== 'device-link')) {
      const site = await serveOne(t, root === undefined ? path.join(folder, name) : name, { root })
      const { status } = await site.get('/')
      const [{ err, headersSent }] = site.rejected
      assert.deepEqual({ status, is: err.status, headersSent }, { status: 404, is: 404, headersSent: false }, name)
      assert.match(err.code, /^(EINVAL|ENXIO)$/, name)
    }
  }
})

test('who waits to write into a FIFO is not woken', async (t) => {
  const { folder } = await kinds(t)
  const site = await serveFolder(t, folder)
  const { stdout } = await run(`
    const fs = require('node:fs')
    const http = require('node:http')
    const fifo = ${JSON.stringify(path.join(folder, 'fifo'))}
    let opened = false
    fs.open(fifo, 'w', () => { opened = true }) // until somebody reads
    const ask = () => new Promise((resolve) => {
      http.get({ port: ${site.port}, host: '127.0.0.1', path: '/fifo', agent: false }, (res) => { res.resume().on('end', () => resolve(res.statusCode)) })
    })
    setImmediate(async () => {
      const statuses = []
      for (let i = 0; i < 5; i++) statuses.push(await ask())
      console.log(statuses.join(), opened)
      process.kill(process.pid, 'SIGKILL') // a thread waits in the call
    })`)
  assert.match(stdout, /^404,404,404,404,404 /)
  if (!stdout.endsWith(' false\n')) t.diagnostic('the writer was woken: the FIFO was opened for reading for a moment')
})

test('a file that may not be read is forbidden, a folder whose files may not be found, too', async (t) => {
  if (process.geteuid() !== 0) return t.skip('the server runs as another user, which needs root')
  const folder = folderOf(t, { 'a.txt': 'alpha', 'shut.txt': 'nobody reads', shut: { 'b.txt': 'nobody finds' } })
  fs.chmodSync(path.join(folder, 'shut.txt'), 0)
  fs.chmodSync(path.join(folder, 'shut'), 0)
  fs.chmodSync(folder, 0o755)
  const { stdout, stderr } = await run(`
    const http = require('node:http')
    const { once } = require('node:events')
    const { serveStatic, serveFile } = require('sendfile-native/static')
    process.setgroups([]); process.setgid(65534); process.setuid(65534)
    const root = ${JSON.stringify(folder)}
    const statuses = []
    const ask = async (listener, path) => {
      const server = http.createServer(listener).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const [res] = await once(http.get({ port: server.address().port, host: '127.0.0.1', path, agent: false }), 'response')
      res.resume()
      await once(res, 'end')
      server.close()
      return res.statusCode
    }
    const main = async () => {
      for (const path of ['/a.txt', '/shut.txt', '/shut/b.txt', '/shut/']) {
        let loose, strict
        statuses.push(await ask((req, res) => serveStatic(root, { fallthrough: false })(req, res, (err) => {
          strict = err.code
          res.statusCode = err.status
          res.end()
        }), path), strict ?? '')
        statuses.push(await ask((req, res) => serveStatic(root)(req, res, (err) => { res.statusCode = err ? err.status : 404; res.end() }), path))
      }
      statuses.push(await ask((req, res) => serveFile(req, res, root + '/shut.txt').catch((err) => { res.statusCode = err.status; res.end() }), '/'))
      console.log(statuses.join())
    }
    main()`)
  assert.equal(stderr, '')
  assert.equal(stdout, '200,,200,403,EACCES,404,403,EACCES,404,403,EACCES,404,403\n')
})

test('what changed on the disk is served changed, whichever way it changed', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const file = path.join(site.folder, 'a.txt')
  const look = async () => {
    const { status, headers, body } = await site.get('/a.txt')
    if (status === 200) {
      const { size, mtime } = fs.statSync(file)
      assert.equal(headers['content-length'], String(size))
      assert.equal(headers['last-modified'], mtime.toUTCString())
    }
    return status === 200 ? String(body) : status
  }
  assert.equal(await look(), 'alpha')
  fs.appendFileSync(file, 'bet')
  assert.equal(await look(), 'alphabet')
  fs.truncateSync(file, 2)
  assert.equal(await look(), 'al')
  fs.truncateSync(file, 0)
  assert.equal(await look(), '')
  fs.writeFileSync(file, 'other')
  assert.equal(await look(), 'other')
  const same = fs.statSync(file)
  fs.writeFileSync(`${file}.new`, 'equal') // as long and as old, but another
  fs.utimesSync(`${file}.new`, same.atime, same.mtime)
  fs.renameSync(`${file}.new`, file)
  assert.equal(await look(), 'equal')
  fs.writeFileSync(file, 'again') // in place, as long and as old
  fs.utimesSync(file, same.atime, same.mtime)
  assert.equal(await look(), 'again')
  fs.rmSync(file)
  assert.equal(await look(), 404)
  write(site.folder, { 'a.txt': { 'index.html': 'a folder now' } })
  assert.equal(await look(), 301)
  assertFile(await site.get('/a.txt/'), 'a folder now')
  fs.rmSync(file, { recursive: true })
  fs.symlinkSync('b.txt', file)
  assert.equal(await look(), 404)
  write(site.folder, { 'b.txt': 'linked' })
  assert.equal(await look(), 'linked')
  fs.rmSync(file)
  write(site.folder, { 'a.txt': 'alpha' })
  assert.equal(await look(), 'alpha')
})

test('a tag that was given is no longer fresh after any change that is to be seen', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const file = path.join(site.folder, 'a.txt')
  const { etag } = (await site.get('/a.txt')).headers
  const again = async () => (await site.get('/a.txt', { headers: [`If-None-Match: ${etag}`] })).status
  assert.equal(await again(), 304)
  fs.appendFileSync(file, 'bet')
  fs.utimesSync(file, MODIFIED, MODIFIED)
  assert.equal(await again(), 200)
  fs.truncateSync(file, 5)
  fs.utimesSync(file, MODIFIED, new Date(MODIFIED.getTime() - 1))
  assert.equal(await again(), 200)
  fs.utimesSync(file, MODIFIED, MODIFIED)
  assert.equal(await again(), 304)
})

test('a file that becomes longer while it is sent arrives as long as it was said to be', async (t) => {
  const bytes = Buffer.alloc(32 * MIB, 'x')
  const site = await serveFolder(t, { 'big.bin': bytes })
  const client = connect(t, site.port)
  client.write(ask('/big.bin'))
  await once(client, 'readable')
  fs.appendFileSync(path.join(site.folder, 'big.bin'), 'and more')
  const [answer] = answersIn(await readAll(client))
  assert.equal(answer.body.length, bytes.length)
  assert.equal(answer.headers['content-length'], String(bytes.length))
})

test('a file that becomes shorter while it is sent ends the connection, and serveFile rejects', async (t) => {
  const folder = folderOf(t, { 'big.bin': Buffer.alloc(64 * MIB, 'x') })
  const file = path.join(folder, 'big.bin')
  const site = await serveOne(t, file)
  const client = connect(t, site.port)
  client.write(ask('/big.bin', { last: false }) + ask('/second'))
  await once(client, 'readable')
  fs.truncateSync(file, 32 * MIB)
  const bytes = await readAll(client)
  assert.ok(bytes.length <= 32 * MIB + 1000)
  assert.equal(bytes.indexOf('HTTP/1.1', 1), -1, 'no second response in the body of the first')
  await assert.rejects(site.calls[0], { code: 'ERR_SENDFILE_TRUNCATED' })
  await until(() => held(file) === 0)
})

test('a file that is removed while it is sent arrives whole', async (t) => {
  const bytes = Buffer.alloc(32 * MIB, 'x')
  const site = await serveFolder(t, { 'big.bin': bytes })
  const client = connect(t, site.port)
  client.write(ask('/big.bin'))
  await once(client, 'readable')
  fs.rmSync(path.join(site.folder, 'big.bin'))
  const [answer] = answersIn(await readAll(client))
  assert.equal(answer.body.length, bytes.length)
  assertPassed(await site.get('/big.bin'))
})

test('no descriptor stays open, whatever was asked for and however it was answered', async (t) => {
  const { folder, names } = await kinds(t)
  write(folder, { 'big.bin': Buffer.alloc(3 * MIB), empty: '', 'index.html': 'index' })
  const site = await serveFolder(t, folder)
  const targets = ['/a.txt', '/big.bin', '/empty', '/', '/missing', '/folder', '/folder/', '/..%2f', '/%', ...names.map((name) => `/${name}`)]
  const conditions = [[], ['If-None-Match: *'], ['If-Match: "x"'], ['Range: bytes=0-1'], ['Range: bytes=0-1,4-4'], ['Range: bytes=99999999-']]
  const open = () => [...descriptors().values()].filter((target) => target.startsWith(`${folder}/`) && !target.includes('socket')).sort()
  for (const method of ['GET', 'HEAD', 'POST']) {
    for (const target of targets) {
      for (const headers of conditions) await site.get(target, { method, headers })
    }
  }
  await until(() => open().length === 0)
})

test('a response that was closed before its file was open sends nothing, and leaves nothing open', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha', 'big.bin': Buffer.alloc(3 * MIB) })
  for (const name of ['a.txt', 'big.bin']) {
    const site = await serveOne(t, path.join(folder, name), {}, { before: (req, res) => res.destroy() })
    await exchange(t, site.port, ask('/'))
    await assert.rejects(site.calls[0])
    await until(() => held(path.join(folder, name)) === 0)
  }
})

test('a response whose head was sent already is refused, and what was sent stays as it is', async (t) => {
  const file = path.join(folderOf(t, { 'a.txt': 'alpha' }), 'a.txt')
  const { port, calls } = await serve(t, async (req, res) => {
    res.writeHead(200, { 'Content-Length': 3 })
    res.write('own')
    try {
      return await serveFile(req, res, file)
    } finally {
      res.end()
    }
  })
  const { body } = await get(t, port, '/')
  assert.equal(String(body), 'own')
  await assert.rejects(calls[0], { code: 'ERR_HTTP_HEADERS_SENT' })
  await until(() => held(file) === 0)
})
