'use strict'

// What fuzzing found: `node test/fuzz`.

const assert = require('node:assert/strict')
const net = require('node:net')
const { PassThrough, Writable } = require('node:stream')
const { sendfile, transferFile } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')
const { connection, digest, run, sha256, temporaryFile, test } = require('./helpers')
const { get, serve } = require('./helpers/http')

test('what a value is called may be no text', () => {
  const expected = { code: 'ERR_INVALID_ARG_TYPE' }
  for (const name of [Symbol('name'), { toString () { throw new Error('not asked for') } }]) {
    assert.throws(() => sendfile({ constructor: { name } }, 0, 0, 1), expected)
    assert.throws(() => sendfile(Object.defineProperty(() => {}, 'name', { value: name }), 0, 0, 1), expected)
  }
})

test('what only inherits from a socket is none', async (t) => {
  const { here } = await connection(t)
  for (const heir of [Object.create(here), Object.create(net.Socket.prototype)]) {
    await assert.rejects(transferFile(heir, __filename), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /^The argument 'destination' must be the socket itself, not an object that inherits from it\. Received /
    })
  }
  assert.equal(here.destroyed, false)
})

test('a setter that somebody gave to all objects does not come between a transfer and its fields', async (t) => {
  const { here, there } = await connection(t)
  const file = temporaryFile(t, 5000)
  const names = ['index', 'isSettled', 'isBusy', 'region', 'owner', 'holdsLoop', 'isOpening', 'timer', 'pieces']
  for (const name of names) Object.defineProperty(Object.prototype, name, { get: () => 'theirs', set () {}, configurable: true })
  const sent = transferFile(here, file.path)
  for (const name of names) delete Object.prototype[name]
  const [arrived] = await Promise.all([digest(there), sent])
  assert.equal(arrived.sha256, sha256(file.bytes))
})

test('a signal that cannot be left is refused', async () => {
  const signal = { aborted: false, addEventListener () {} }
  await assert.rejects(transferFile(new PassThrough(), __filename, { signal }), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('a signal that throws when it is left does not keep a transfer from settling', async () => {
  const { code, stdout } = await run(`
    const { PassThrough } = require('node:stream')
    const { transferFile } = require('sendfile-native')
    process.on('uncaughtException', (err) => console.log(err.message))
    const signal = { aborted: false, addEventListener () {}, removeEventListener () { throw new Error('thrown') } }
    transferFile(new PassThrough().resume(), 'package.json', { signal }).then(() => console.log('settled'))
  `)
  assert.deepEqual({ code, lines: stdout.trim().split('\n').sort() }, { code: 0, lines: ['settled', 'thrown'] })
})

test('what setHeaders throws is answered with 500, whatever it is', async (t) => {
  for (const thrown of [Symbol('thrown'), 'a text', Object.freeze(new Error('frozen'))]) {
    const handler = serveStatic(__dirname, { setHeaders () { throw thrown } })
    const { port } = await serve(t, (req, res) => handler(req, res))
    assert.equal((await get(t, port, '/hostile-arguments.test.js')).status, 500)
  }
})

test('a Writable that was ended, or destroyed, by somebody else has closed before it had the file', async (t) => {
  const { path } = temporaryFile(t, 600_000)
  for (const method of ['end', 'destroy']) {
    const destination = new Writable({
      write (chunk, encoding, callback) {
        destination[method]()
        callback()
      }
    })
    await assert.rejects(transferFile(destination, path), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  }
})

test('a setter that somebody gives to all objects while a file is opened leaves it open for no longer than its transfer', {
  skip: process.platform !== 'linux'
}, async (t) => {
  const { path } = temporaryFile(t, 5000)
  const { stdout } = await run(`
    const fs = require('node:fs')
    const { PassThrough } = require('node:stream')
    const { transferFile } = require('sendfile-native')
    const file = ${JSON.stringify(path)}
    const taking = () => new PassThrough().resume()
    async function main () {
      await transferFile(taking(), file) // the first one is opened by a thread
      Object.defineProperty(Object.prototype, 'fd', { configurable: true, set () { throw new Error('set') } })
      const sending = transferFile(taking(), file)
      delete Object.prototype.fd
      await sending.catch((err) => console.log(err.message))
      const open = fs.readdirSync('/proc/self/fd').filter((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd) === file } catch {} })
      console.log(open.length)
    }
    main()
  `)
  assert.equal(stdout.trim().split('\n').pop(), '0')
})

test('a setter that somebody gave to all objects leaves no file open', { skip: process.platform !== 'linux' }, async (t) => {
  const { path } = temporaryFile(t, 5000)
  const { stdout } = await run(`
    const fs = require('node:fs')
    const http = require('node:http')
    const { basename, dirname } = require('node:path')
    const { serveStatic } = require('sendfile-native/static')
    const file = ${JSON.stringify(path)}
    const handler = serveStatic(dirname(file))
    const ask = (port, path) => new Promise((resolve) => http.get({ port, path, agent: false }, (res) => res.resume().on('end', resolve)))
    const server = http.createServer((req, res) => {
      res.end() // so that the file is opened in vain
      if (req.url === '/warm') return handler(Object.assign(req, { url: '/' + basename(file) }), res, () => {})
      Object.defineProperty(Object.prototype, 'code', { configurable: true, set () { throw new Error('set') } })
      try { handler(req, res, () => {}) } catch (err) { console.log(err.message) }
      delete Object.prototype.code
    }).listen(0, async () => {
      const { port } = server.address()
      await ask(port, '/warm')
      await new Promise((resolve) => setTimeout(resolve, 200)) // the first one is opened by a thread
      await ask(port, '/' + basename(file))
      const open = fs.readdirSync('/proc/self/fd').filter((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd) === file } catch {} })
      console.log(open.length)
      server.close()
    })
  `)
  assert.equal(stdout.trim().split('\n').pop(), '0')
})
