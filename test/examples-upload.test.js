'use strict'

// examples/upload.js against servers that take a file, refuse it, or go.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const https = require('node:https')
const net = require('node:net')
const path = require('node:path')
const { MIB, descriptors, digest, isNative, root, run, sha256, temporaryFile, temporaryFolder, test, until } = require('./helpers')
const { COUNTER, assertEnds, assertWay, countedBytes } = require('./helpers/example-server')
const certificate = require('./helpers/certificate')
const { HOST, serve } = require('./helpers/http')

const FILE = 'examples/upload.js'

/** More than the buffers of a connection take. */
const LARGE = 24 * MIB

const WAY = isNative ? 'zero copy' : 'copied: disabled'

/** A server that keeps the heads and digests of what it gets, and answers with this status. */
async function receive (t, status, options) {
  const got = []
  const { port } = await serve(t, async (req, res) => {
    got.push({ method: req.method, url: req.url, headers: req.headers, ...await digest(req) })
    res.writeHead(status).end('an answer')
  }, options)
  return { url: `http://${HOST}:${port}/a/file?of=mine`, port, got }
}

const upload = (args, env) => run([FILE, ...args], { env: { ...process.env, ...env }, timeout: 30_000 })

test('examples/upload.js sends a file with its length, and prints what went out', async (t) => {
  const { url, got } = await receive(t, 201)
  for (const size of [0, 1000, LARGE]) {
    const file = temporaryFile(t, size)
    const { code, stdout, stderr } = await run(['--require', COUNTER, FILE, url, file.path])
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `201 Created: ${size} bytes, ${WAY}\n` })
    const { method, url: target, headers, length, sha256: hash } = got.pop()
    assert.deepEqual({ method, target, promised: headers['content-length'], length, hash },
      { method: 'PUT', target: '/a/file?of=mine', promised: String(size), length: size, hash: sha256(file.bytes) })
    assert.match(stderr, /^100 %$/m)
    assertWay(countedBytes(stderr), size)
  }
})

test('examples/upload.js tells how far it is while the server reads', async (t) => {
  let go
  const paused = new Promise((resolve) => { go = resolve })
  const { port } = await serve(t, async (req, res) => {
    let left = LARGE / 2
    for await (const chunk of req) {
      left -= chunk.length
      if (left <= 0) await paused
    }
    res.end()
  })
  const child = spawn(process.execPath, [FILE, `http://${HOST}:${port}/`, temporaryFile(t, LARGE).path], { cwd: root })
  t.after(() => child.kill('SIGKILL'))
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { told += text })
  await until(() => /^\d\d %$/m.test(told))
  go()
  assert.equal((await once(child, 'close'))[0], 0)
  const percents = told.trim().split('\n').map(parseFloat)
  assert.equal(percents.at(-1), 100)
  assert.deepEqual(percents, [...new Set(percents)].sort((a, b) => a - b), 'each once, and upwards')
})

test('examples/upload.js copies through TLS, and says so', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { port, got } = await receive(t, 200, { create: https.createServer, ...certificate })
  const { code, stdout } = await upload([`https://${HOST}:${port}/`, file.path], { NODE_EXTRA_CA_CERTS: certificateFile(t) })
  const reason = isNative ? 'tls' : 'disabled'
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `200 OK: ${file.bytes.length} bytes, copied: ${reason}\n` })
  assert.equal(got[0].sha256, sha256(file.bytes))
})

function certificateFile (t) {
  const file = path.join(temporaryFolder(t), 'certificate.pem')
  fs.writeFileSync(file, certificate.cert)
  return file
}

test('examples/upload.js fails when the server refuses the file, be it before it has read it', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { url } = await receive(t, 507)
  const late = await upload([url, file.path])
  assert.equal(late.code, 1)
  assert.match(late.stderr, /: 507 Insufficient Storage\n$/)
  assert.equal(late.stdout, '')

  // http's own server would read the rest to its end.
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {}) // it leaves with a reset
    socket.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n')
    t.after(() => socket.destroy())
  }).listen(0, HOST)
  t.after(() => server.close())
  await once(server, 'listening')
  const early = await upload([`http://${HOST}:${server.address().port}/`, file.path])
  assert.equal(early.code, 1)
  assert.match(early.stderr, /: 413 Payload Too Large\n$/)
})

test('examples/upload.js fails when the server goes, or was never there', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, server } = await serve(t, async (req) => {
    await once(req, 'readable')
    req.socket.resetAndDestroy()
  })
  const gone = await upload([`http://${HOST}:${port}/`, file.path])
  assert.deepEqual({ code: gone.code, stdout: gone.stdout }, { code: 1, stdout: '' })
  assert.match(gone.stderr, new RegExp(`^${file.path}: .+\n$`, 'm'))
  server.close()
  const refused = await upload([`http://${HOST}:${port}/`, file.path])
  assert.deepEqual(refused, { code: 1, signal: null, stdout: '', stderr: `${file.path}: connect ECONNREFUSED ${HOST}:${port}\n` })
})

test('examples/upload.js tells of a file that becomes shorter, and of what is none', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port } = await serve(t, async (req) => {
    await once(req, 'readable')
    fs.truncateSync(file.path, 1000)
    req.on('error', () => {}).resume()
  })
  const { code, stdout, stderr } = await upload([`http://${HOST}:${port}/`, file.path])
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
  assert.match(stderr, /The file ended before the bytes that were promised\n$/)

  const requests = []
  const { port: unused } = await serve(t, (req, res) => { requests.push(req.url); res.end() })
  const url = `http://${HOST}:${unused}/`
  for (const [name, why] of [['no-such-file', /ENOENT/], ['lib', /EISDIR/]]) {
    const { code, stdout, stderr } = await upload([url, name])
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, why)
  }
  assert.deepEqual(requests, [])
})

test('examples/upload.js ends on SIGTERM, and the server sees that there was more to come', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { port, calls } = await serve(t, async (req) => {
    await once(req, 'readable')
    assert.ok([...descriptors(child.pid).values()].includes(file.path))
    child.kill('SIGTERM')
    await assert.rejects(digest(req), { code: 'ECONNRESET' })
  })
  const child = spawn(process.execPath, [FILE, `http://${HOST}:${port}/`, file.path], { cwd: root, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM'])
  await calls[0]
})

test('examples/upload.js says how to use it', async () => {
  for (const args of [[], ['http://localhost/'], ['http://', 'package.json'], ['ftp://localhost/', 'package.json'],
    ['package.json', 'http://localhost/'], ['http://localhost/', ''], ['http://localhost/', 'package.json', 'more']]) {
    await assertEnds([FILE, ...args], { code: 2, stderr: 'usage: upload <url> <file>\n' })
  }
})
