'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { MIB, isNative, temporaryFolder, test, until } = require('./helpers')
const { HOST, startCli } = require('./helpers/cli')
const { writeSparse } = require('./browser/media')

const COPIED = isNative ? '' : ', copied: disabled'
const LARGE = 256 * MIB

/** Sends these bytes on a connection of its own, and takes what comes until it is closed. */
async function exchange (port, request) {
  const socket = net.connect(port, HOST).setEncoding('latin1')
  socket.write(request, 'latin1')
  let answer = ''
  for await (const text of socket) answer += text
  return answer
}

test('each request is told in a line: time, client, method, target, status, bytes, duration, rate', async (t) => {
  const folder = temporaryFolder(t)
  fs.writeFileSync(path.join(folder, 'file'), Buffer.alloc(100_000))
  fs.mkdirSync(path.join(folder, 'sub'))
  const { get, lines, output } = await startCli(t, folder)
  const told = async (target, headers) => {
    const before = lines().length
    const answer = await get(target, headers)
    await until(() => lines().length > before)
    return answer
  }
  const { headers: { etag } } = await told('/file')
  await told('/file', { method: 'HEAD' })
  await told('/file?query=1', { range: 'bytes=100-199' })
  await told('/file', { 'if-none-match': etag })
  const refused = await told('/file', { range: 'bytes=100000-' })
  const listing = await told('/')
  const redirected = await told('/sub')
  const missing = await told('/missing')
  const posted = await told('/file', { method: 'POST' })
  const of = (bytes) => `${bytes} bytes in \\d+(\\.\\d+)? m?s${bytes > 0 ? ', \\d+(\\.\\d)? ([KMGT]i)?B/s' : ''}`
  const expected = [
    `GET /file 200 ${of(100_000)}${COPIED}`,
    `HEAD /file 200 ${of(0)}`,
    `GET /file\\?query=1 206 ${of(100)}${COPIED}`,
    `GET /file 304 ${of(0)}`,
    `GET /file 416 ${of(refused.bytes.length)}`,
    `GET / 200 ${of(listing.bytes.length)}`,
    `GET /sub 301 ${of(redirected.bytes.length)}`,
    `GET /missing 404 ${of(missing.bytes.length)}`,
    `POST /file 405 ${of(posted.bytes.length)}`
  ]
  assert.equal(lines().length, expected.length)
  lines().forEach((line, index) => assert.match(line, new RegExp(`^127\\.0\\.0\\.1 ${expected[index]}$`)))
  for (const line of output.stdout.split('\n').slice(2, -1)) assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d 127/)
})

test('what a client sends cannot move the cursor, nor forge a line', async (t) => {
  const { port, line, lines } = await startCli(t, temporaryFolder(t))
  const ends = ' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  await exchange(port, `GET /a\x9b31m\xffb${ends}`)
  await exchange(port, `GET /%0A2026-01-01%20forged%1b[31m${ends}`)
  assert.match(await line(/%0A/), /^127\.0\.0\.1 GET \/%0A2026-01-01%20forged%1b\[31m 404 /)
  for (const each of lines()) assert.match(each, /^127\.0\.0\.1 GET \/(a%9B31m%FFb|%0A\S+) 40[04] [ -~]+$/)
  assert.match(await exchange(port, `GET /\x1b[31m${ends}`), /^HTTP\/1\.1 400 /)
})

test('a client that leaves is marked, with what it was sent', async (t) => {
  const folder = temporaryFolder(t)
  writeSparse(path.join(folder, 'large'), LARGE)
  const { ask, get, held, line } = await startCli(t, folder)
  const response = await ask('/large')
  response.on('error', () => {}) // aborted
  // What left in the engine's last turn, 1 MiB at most, may not be counted yet when the client has gone.
  for (let taken = 0; taken < 8 * MIB;) {
    const chunk = response.read()
    if (chunk === null) await once(response, 'readable')
    else taken += chunk.length
  }
  response.destroy()
  const told = await line(/large/)
  assert.match(told, /^127\.0\.0\.1 GET \/large 200 \d+ bytes in [^,]+, [^,]+, aborted$/)
  const [, bytes] = / 200 (\d+) /.exec(told)
  assert.ok(Number(bytes) > 7 * MIB && Number(bytes) < LARGE, bytes)
  await until(() => held(folder).length === 0)
  assert.equal((await get('/large', { range: 'bytes=0-9' })).status, 206, 'and it goes on')
})

test('a file that becomes shorter ends the connection, and is told', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'shrinking')
  writeSparse(file, LARGE)
  const { ask, line } = await startCli(t, folder)
  const response = await ask('/shrinking')
  await once(response, 'readable')
  fs.truncateSync(file, MIB)
  response.resume()
  await assert.rejects(once(response, 'end'), { code: 'ECONNRESET' })
  assert.match(await line(/./), /^127\.0\.0\.1 GET \/shrinking 200 \d+ bytes in [^,]+, [^,]+, failed: ERR_SENDFILE_TRUNCATED$/)
})

test('why bytes are copied is told', async (t) => {
  const folder = temporaryFolder(t)
  fs.writeFileSync(path.join(folder, 'file'), Buffer.alloc(MIB))
  const { get, line } = await startCli(t, folder, { env: { ...process.env, SENDFILE_NATIVE: 'off' } })
  assert.equal((await get('/file')).bytes.length, MIB)
  assert.match(await line(/./), /^127\.0\.0\.1 GET \/file 200 1048576 bytes in [^,]+, [^,]+, copied: disabled$/)
})

test('on the loopback address the names of others are not answered', async (t) => {
  const { port, get, line } = await startCli(t, temporaryFolder(t))
  for (const host of ['localhost', 'LocalHost:1', 'a.localhost', `127.0.0.1:${port}`, '[::1]:80', '192.168.0.1']) {
    assert.equal((await get('/', { host })).status, 200, host)
  }
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', 'notlocalhost']) {
    assert.equal((await get('/', { host })).status, 403, host)
  }
  assert.match(await line(/ GET \/ 403 /), / 403 \d+ bytes in [^,]+, [^,]+, refused: Host is evil\.example$/)
  assert.match(await exchange(port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
})

test('an output that nobody reads any more does not end it', async (t) => {
  const { child, get } = await startCli(t, temporaryFolder(t))
  child.stdout.destroy()
  child.stderr.destroy()
  for (let i = 0; i < 3; i++) assert.equal((await get('/')).status, 200)
})
