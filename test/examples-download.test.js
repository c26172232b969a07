'use strict'

// examples/download.js: downloads with resume, and how far they are.

const assert = require('node:assert/strict')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { once } = require('node:events')
const { MIB, digest, isNative, root, sha256, temporaryFolder, test, until } = require('./helpers')
const { HOST, assertChecksArguments, assertTellsOfTakenPort, assertWay, startServer } = require('./helpers/example-server')
const { Screen } = require('./helpers/screen')

const FILE = 'examples/download.js'
const TERMINAL = path.join(root, 'test', 'fixtures', 'terminal.py')

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const LARGE = 24 * MIB

const WAY = isNative ? 'zero copy' : 'copied: disabled'

function makeFolder (t) {
  const folder = temporaryFolder(t)
  const bytes = crypto.randomBytes(LARGE)
  fs.writeFileSync(path.join(folder, 'large'), bytes)
  fs.writeFileSync(path.join(folder, 'empty'), '')
  return { folder, bytes }
}

/** So much of a stream, or a little more. */
async function readSome (stream, length) {
  const chunks = []
  for (let left = length; left > 0;) {
    const chunk = stream.read()
    if (chunk === null) {
      await once(stream, 'readable')
    } else {
      chunks.push(chunk)
      left -= chunk.length
    }
  }
  return chunks
}

test('examples/download.js sends files, and what is left of them', async (t) => {
  const { folder, bytes } = makeFolder(t)
  fs.mkdirSync(path.join(folder, 'folder'))
  execFileSync('mkfifo', [path.join(folder, 'fifo')])
  fs.symlinkSync('/etc/passwd', path.join(folder, 'link'))
  const server = await startServer(t, FILE, ['0', folder])
  const { get, held, printed } = server
  let sent = 0
  const sends = (answer, status, expected) => {
    assert.deepEqual({ status: answer.status, length: answer.length }, { status, length: expected.length })
    assert.equal(answer.sha256, sha256(expected))
    assert.equal(answer.headers['content-length'], String(expected.length))
    sent += expected.length
  }

  const whole = await get('/large')
  sends(whole, 200, bytes)
  assert.equal(whole.headers['content-disposition'], 'attachment')
  await printed(new RegExp(`^GET /large 200 ${LARGE} bytes, ${WAY}$`, 'm'))
  const { etag } = whole.headers
  assert.match(etag, /^"/, 'a tag that resuming can rely on')
  for (const more of [{}, { 'if-range': etag }]) {
    const rest = await get('/large', { range: 'bytes=1000000-', ...more })
    sends(rest, 206, bytes.subarray(1_000_000))
    assert.equal(rest.headers['content-range'], `bytes 1000000-${LARGE - 1}/${LARGE}`)
  }
  sends(await get('/large', { range: 'bytes=-3' }), 206, bytes.subarray(-3))
  sends(await get('/large', { range: 'bytes=0-0' }), 206, bytes.subarray(0, 1))
  for (const other of [{ range: 'bytes=5-', 'if-range': '"another"' }, { range: 'items=5-' }, { range: 'bytes=0-1,5-6' }]) {
    sends(await get('/large', other), 200, bytes)
  }
  const refused = await get('/large', { range: `bytes=${LARGE}-` })
  assert.deepEqual([refused.status, refused.headers['content-range']], [416, `bytes */${LARGE}`])
  sends(await get('/empty'), 200, Buffer.alloc(0))
  const head = await get('/large', { method: 'HEAD' })
  assert.deepEqual([head.status, head.length, head.headers['content-length']], [200, 0, String(LARGE)])

  for (const name of ['/missing', '/folder', '/fifo', '/link', '/', '/%2e%2e/%2e%2e/etc/passwd', '/large/x']) {
    assert.equal((await get(name)).status, 404, name)
  }
  assert.equal((await get('/%zz')).status, 400)
  assert.equal((await get('/large', { method: 'PUT' })).status, 405)
  await until(() => held(folder).length === 0)
  const { code, bytes: way } = await server.end()
  assert.equal(code, 0)
  assertWay(way, sent)
})

test('examples/download.js tells in its log how far a download is, and of one that is broken off', async (t) => {
  const { folder, bytes } = makeFolder(t)
  const server = await startServer(t, FILE, ['0', folder])
  const { ask, printed, held } = server
  const response = await ask('/large')
  const begun = await readSome(response, LARGE / 2) // and stands still
  await printed(/^\/large \d+ %$/m, 'stderr')
  assert.equal(sha256(Buffer.concat([...begun, ...await response.toArray()])), sha256(bytes))
  await printed(/^GET \/large 200 /m)

  const leaving = await ask('/large')
  await once(leaving, 'readable')
  assert.ok(held(folder).length > 0, 'it is under way')
  leaving.destroy()
  await printed(/^GET \/large: .+, after \d+ bytes$/m, 'stderr')
  await until(() => held(folder).length === 0)

  // One more is under way when it is ended.
  const cut = await ask('/large')
  await once(cut, 'readable')
  const broken = assert.rejects(digest(cut), { code: 'ECONNRESET' })
  const { code, stderr } = await server.end()
  await broken
  assert.equal(code, 0)
  assert.ok(Number(/^\/large (\d+) %$/m.exec(stderr)[1]) >= 10)
})

test('examples/download.js shows downloads in the last line of a terminal', {
  skip: spawnSync('python3', ['-c', 'import pty']).status !== 0 && 'a pseudo terminal needs python3'
}, async (t) => {
  const { folder, bytes } = makeFolder(t)
  const child = spawn('python3', [TERMINAL, '100', '24', process.execPath, FILE, '0', folder], { cwd: root })
  t.after(() => child.kill('SIGKILL'))
  const screen = new Screen(100)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    screen.write(text)
  })
  await until(() => /http:\S+\//.test(output))
  const port = Number(/:(\d+)\/\r?\n/.exec(output)[1])
  const downloads = await Promise.all([1, 2].map(async () => {
    const [response] = await once(http.get({ port, host: HOST, path: '/large', agent: false }), 'response')
    return response
  }))
  await until(() => /^\/large \d+ %, \/large \d+ %$/m.test(screen.rows.at(-1)))
  for (const { sha256: hash } of await Promise.all(downloads.map(digest))) assert.equal(hash, sha256(bytes))
  await until(() => (screen.text.match(/^GET \/large 200 /mg) ?? []).length === 2)
  assert.match(screen.text, new RegExp(`^GET /large 200 ${LARGE} bytes, ${WAY}$`, 'm'))
  await until(() => screen.rows.at(-1) === '')
  child.stdin.write('\x03\n') // Ctrl-C
  assert.equal((await once(child, 'close'))[0], 0)
})

test('examples/download.js says how to use it, and why it cannot listen', async (t) => {
  await assertChecksArguments(FILE, 'download <port> <folder>')
  await assertTellsOfTakenPort(t, FILE)
})
