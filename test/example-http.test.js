'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { MIB, descriptors, digest, root, run, sha256, temporaryFolder, test, until } = require('./helpers')
const { assertRefusesNoPorts, assertTellsWhyItCannotListen } = require('./helpers/example')

const SERVER = path.join(root, 'examples', 'http.js')
const USAGE = 'usage: http <port> <folder>\n'

/** The server over a folder with these files. */
async function serve (t, files, args = (folder) => [SERVER, '0', folder]) {
  const folder = temporaryFolder(t)
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), bytes)
  const child = spawn(process.execPath, args(folder), { cwd: root })
  t.after(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text })
  await until(() => stdout.includes('\n'))
  const port = Number(/on port (\d+)\n/.exec(stdout)[1])
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const get = async (url, { method = 'GET', ...headers } = {}) => {
    const request = http.request({ port, host: '127.0.0.1', agent, path: url, method, headers }).end()
    const [response] = await once(request, 'response')
    return { status: response.statusCode, headers: response.headers, ...await digest(response) }
  }
  return { child, folder, port, get }
}

test('examples/http.js serves files, ranges and refusals on one connection', async (t) => {
  const bytes = require('node:crypto').randomBytes(3 * MIB)
  const { child, folder, get } = await serve(t, { file: bytes, empty: '' })
  fs.mkdirSync(path.join(folder, 'folder'))
  execFileSync('mkfifo', [path.join(folder, 'fifo')])
  fs.symlinkSync('/etc/passwd', path.join(folder, 'link'))

  const whole = await get('/file')
  assert.equal(whole.status, 200)
  assert.equal(whole.sha256, sha256(bytes))
  assert.equal(whole.headers['content-length'], String(bytes.length))
  assert.equal((await get('/file', { method: 'HEAD' })).headers['content-length'], String(bytes.length))

  const ranges = [
    ['bytes=0-0', 0, 1], ['bytes=5-9', 5, 10], ['bytes=3145720-', 3145720], ['bytes=-3', bytes.length - 3],
    ['bytes=100-99999999', 100]
  ]
  for (const [range, start, end] of ranges) {
    const part = await get('/file', { range })
    assert.equal(part.status, 206, range)
    assert.equal(part.sha256, sha256(bytes.subarray(start, end)), range)
  }
  for (const range of ['bytes=5-2', 'items=0-2', 'bytes=0-1,4-5', 'bytes=-']) {
    assert.equal((await get('/file', { range })).status, 200, range)
  }
  const range = 'bytes=5-'
  assert.equal((await get('/file', { range, 'if-range': whole.headers['last-modified'] })).status, 206)
  const changed = await get('/file', { range, 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' })
  assert.deepEqual([changed.status, changed.sha256], [200, sha256(bytes)], 'of another version the whole')
  for (const range of ['bytes=3145728-', 'bytes=-0']) {
    const refused = await get('/file', { range })
    assert.equal(refused.status, 416, range)
    assert.equal(refused.headers['content-range'], 'bytes */3145728')
  }
  assert.equal((await get('/empty')).length, 0)
  for (const name of ['/missing', '/folder', '/fifo', '/link', '/', '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/file/x']) {
    assert.equal((await get(name)).status, 404, name)
  }
  for (const name of ['/%00', '/%zz']) assert.equal((await get(name)).status, 500, name)
  assert.equal((await get('/file', { method: 'POST' })).status, 405)
  assert.equal((await get('/file')).sha256, sha256(bytes), 'and goes on')
  await until(() => ![...descriptors(child.pid).values()].some((target) => target.startsWith(folder)))
  child.kill('SIGINT')
  assert.equal((await once(child, 'exit'))[0], 0)
})

test('the first program of the README serves the README', async (t) => {
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
  const [, program] = /```js\n([^]+?)```/.exec(readme)
  const listening = program.replace('.listen(8080, \'127.0.0.1\')',
    '.listen(0, \'127.0.0.1\', function () { console.log(\'on port \' + this.address().port) })')
  assert.notEqual(listening, program)
  const { get } = await serve(t, {}, () => ['-e', listening])
  const { status, sha256: hash } = await get('/')
  assert.equal(status, 200)
  assert.equal(hash, sha256(readme))
})

test('examples/http.js says how to use it', async () => {
  const { code, stderr } = await run([SERVER])
  assert.deepEqual({ code, stderr }, { code: 1, stderr: USAGE })
})

test('examples/http.js says how to use it when the port is none', async () => {
  await assertRefusesNoPorts(SERVER, USAGE)
})

test('examples/http.js says in one line why it cannot listen', async (t) => {
  await assertTellsWhyItCannotListen(t, SERVER)
})
