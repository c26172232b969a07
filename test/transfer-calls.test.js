'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { EventEmitter, once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { PassThrough, Writable } = require('node:stream')
const { pathToFileURL } = require('node:url')
const { stats, transferFile } = require('sendfile-native')
const {
  MIB, connection, digest, isNative, open, run, sha256, temporaryFile, temporaryFolder, test, until
} = require('./helpers')
const { COPIED, result } = require('./helpers/results')
const testkit = require('./helpers/testkit')

test('a file may be a path, a Buffer, a URL, a descriptor or a FileHandle', async (t) => {
  const file = temporaryFile(t, 'some contents')
  const fd = open(t, file.path)
  fs.readSync(fd, Buffer.alloc(5)) // its position is not the start
  const handle = await fs.promises.open(file.path)
  t.after(() => handle.close())
  for (const source of [file.path, Buffer.from(file.path), pathToFileURL(file.path), fd, handle]) {
    const { here, there } = await connection(t)
    const [sent, arrived] = await Promise.all([transferFile(here, source), digest(there)])
    assert.deepEqual(sent, result(13))
    assert.equal(arrived.sha256, sha256(file.bytes))
  }
  const rest = Buffer.alloc(20)
  assert.equal(rest.toString('latin1', 0, fs.readSync(fd, rest)), 'contents', 'open, and where it was')
  assert.equal((await handle.read(rest, 0, 20, null)).bytesRead, 13)
})

test('a descriptor that is closed and reused after the call is the one that was meant', async (t) => {
  const right = temporaryFile(t, 5 * MIB)
  const wrong = temporaryFile(t, 5 * MIB)
  const { here, there } = await connection(t)
  const fd = fs.openSync(right.path)
  const sending = transferFile(here, fd)
  fs.closeSync(fd)
  assert.equal(open(t, wrong.path), fd)
  const [, arrived] = await Promise.all([sending, digest(there)])
  if (isNative) assert.equal(arrived.sha256, sha256(right.bytes))
})

test('start and end are inclusive, and clipped to the file', async (t) => {
  const file = temporaryFile(t, '0123456789')
  const cases = [
    [{ start: 3 }, '3456789'],
    [{ end: 3 }, '0123'],
    [{ start: 2, end: 2 }, '2'],
    [{ start: 8, end: 100 }, '89'],
    [{ start: 10 }, ''],
    [{ start: 50, end: 60 }, ''],
    [{ start: 0, end: 0 }, '0'],
    [{ start: undefined, end: undefined }, '0123456789']
  ]
  for (const [options, expected] of cases) {
    const { here, there } = await connection(t)
    const [sent, arrived] = await Promise.all([transferFile(here, file.path, options), digest(there)])
    assert.equal(sent.bytesSent, expected.length)
    assert.equal(arrived.sha256, sha256(expected))
  }
})

test('a range beyond 4 GiB', async (t) => {
  const path = `${temporaryFolder(t)}/sparse`
  const fd = open(t, path, 'w+')
  const at = 5 * 1024 * MIB
  fs.writeSync(fd, 'beyond', at)
  const { here, there } = await connection(t)
  const [sent, arrived] = await Promise.all([transferFile(here, path, { start: at - 2 }), digest(there)])
  assert.equal(sent.bytesSent, 8)
  assert.equal(arrived.sha256, sha256('\0\0beyond'))
})

test('what is no regular file is refused, without waiting, and the socket goes on', async (t) => {
  const folder = temporaryFolder(t)
  require('node:child_process').execFileSync('mkfifo', [`${folder}/fifo`])
  const { here, there } = await connection(t)
  const arrived = digest(there)
  const refused = [
    [`${folder}/missing`, 'ENOENT'],
    [folder, 'EISDIR'],
    [`${folder}/fifo`, 'EINVAL'],
    ['/dev/zero', 'EINVAL'],
    [open(t, '/dev/null'), 'EINVAL'],
    [testkit.pipe()[0], 'EINVAL']
  ]
  for (const [source, code] of refused) {
    await assert.rejects(transferFile(here, source, { endDestination: false }), (err) => {
      assert.equal(err.code, code)
      assert.equal(err.bytesSent, 0)
      assert.equal(typeof err.errno, 'number')
      if (typeof source === 'string') assert.equal(err.path, source)
      return true
    })
  }
  await assert.rejects(transferFile(here, 999_999), { code: 'EBADF' })
  here.end('still here')
  assert.equal((await arrived).sha256, sha256('still here'))
})

test('wrong arguments and options are refused before anything happens', async (t) => {
  const { here } = await connection(t)
  const cases = [
    [[null, 'f'], 'ERR_INVALID_ARG_TYPE', /"destination" argument/],
    [[{}, 'f'], 'ERR_INVALID_ARG_TYPE', /"destination" argument/],
    [[here, null], 'ERR_INVALID_ARG_TYPE', /"file" argument/],
    [[here, {}], 'ERR_INVALID_ARG_TYPE', /"file" argument/],
    [[here, -1], 'ERR_OUT_OF_RANGE', /"file"/],
    [[here, 'a\0b'], 'ERR_INVALID_ARG_VALUE', /null bytes/],
    [[here, new URL('http://localhost/')], 'ERR_INVALID_URL_SCHEME', /file/],
    [[here, 'f', null], 'ERR_INVALID_ARG_TYPE', /"options" argument/],
    [[here, 'f', { begin: 1 }], 'ERR_INVALID_ARG_VALUE', /options\.begin/],
    [[here, 'f', { start: -1 }], 'ERR_OUT_OF_RANGE', /options\.start/],
    [[here, 'f', { start: 1.5 }], 'ERR_OUT_OF_RANGE', /options\.start/],
    [[here, 'f', { start: '1' }], 'ERR_INVALID_ARG_TYPE', /options\.start/],
    [[here, 'f', { end: NaN }], 'ERR_OUT_OF_RANGE', /options\.end/],
    [[here, 'f', { start: 2, end: 1 }], 'ERR_OUT_OF_RANGE', /options\.start/],
    [[here, 'f', { signal: {} }], 'ERR_INVALID_ARG_TYPE', /options\.signal/],
    [[here, 'f', { onProgress: 1 }], 'ERR_INVALID_ARG_TYPE', /options\.onProgress/],
    [[here, 'f', { fallback: 1 }], 'ERR_INVALID_ARG_TYPE', /options\.fallback/],
    [[here, 'f', { zeroCopy: 'no' }], 'ERR_INVALID_ARG_TYPE', /options\.zeroCopy/],
    [[here, 'f', { endDestination: 0 }], 'ERR_INVALID_ARG_TYPE', /options\.endDestination/]
  ]
  for (const [args, code, message] of cases) {
    await assert.rejects(transferFile(...args), (err) => {
      assert.equal(err.code, code)
      assert.match(err.message, message)
      return true
    })
  }
  assert.equal(here.writableLength, 0)
})

test('onProgress tells how far it is, in the caller\'s context, and the whole at the end', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const storage = new AsyncLocalStorage()
  const seen = []
  const sending = storage.run('mine', () => transferFile(here, file.path, {
    onProgress: (bytesSent, total) => {
      assert.equal(storage.getStore(), 'mine')
      seen.push([bytesSent, total])
      if (bytesSent > 0) there.resume()
    }
  }))
  await sending
  assert.ok(seen.length >= 2)
  assert.ok(seen[0][0] < 40 * MIB, 'while it was under way')
  assert.deepEqual(seen.at(-1), [40 * MIB, 40 * MIB])
})

test('an onProgress that throws is an uncaught exception, and the call settles all the same', async (t) => {
  const file = temporaryFile(t, 'contents')
  const { stdout } = await run(`
    const { connection } = require('./test/helpers')
    const { transferFile } = require('sendfile-native')
    const after = []
    process.on('uncaughtException', (err) => console.log('caught', err.message))
    connection({ after: (f) => after.push(f) }).then(async ({ here }) => {
      const { bytesSent } = await transferFile(here, ${JSON.stringify(file.path)}, { onProgress () { throw new Error('mine') } })
      console.log(bytesSent)
      after.forEach((f) => f())
    })
  `)
  assert.deepEqual(stdout.trim().split('\n').sort(), ['8', 'caught mine'])
})

test('diagnostics channels tell of the start, the end and errors', async (t) => {
  const file = temporaryFile(t, 'contents')
  const told = []
  for (const name of ['start', 'end', 'error']) {
    const listener = (message) => told.push([name, message])
    diagnostics.subscribe(`sendfile-native:${name}`, listener)
    t.after(() => diagnostics.unsubscribe(`sendfile-native:${name}`, listener))
  }
  const { here, there } = await connection(t)
  await transferFile(here, file.path, { endDestination: false, start: 3 })
  await assert.rejects(transferFile(here, '/nonexistent'))
  there.resume()
  assert.deepEqual(told.map(([name]) => name), ['start', 'end', 'error'])
  const [, end] = told[1]
  assert.equal(end.destination, here)
  assert.equal(end.file, file.path)
  assert.equal(end.offset, 3)
  assert.equal(end.length, 5)
  assert.equal(end.bytesSent, 5)
  assert.ok(end.duration > 0)
  assert.equal(told[2][1].error.code, 'ENOENT')
})

test('the channels tell in the async context of the call, whoever ends it', async (t) => {
  const file = temporaryFile(t, MIB)
  const storage = new AsyncLocalStorage()
  const told = []
  for (const name of ['start', 'end', 'error']) {
    const listener = () => told.push(`${name} ${storage.getStore()}`)
    diagnostics.subscribe(`sendfile-native:${name}`, listener)
    t.after(() => diagnostics.unsubscribe(`sendfile-native:${name}`, listener))
  }
  let taken
  const stalled = new Writable({ highWaterMark: 1, write (chunk, encoding, callback) { taken = callback } })
  const controller = new AbortController()
  const aborted = storage.run('aborted', () => transferFile(stalled, file.path, { signal: controller.signal }))
  await until(() => taken)
  storage.run('other', () => controller.abort())
  await assert.rejects(aborted, { name: 'AbortError' })

  const outside = new EventEmitter()
  const eager = new Writable({ write: (chunk, encoding, callback) => outside.once('take', callback) })
  const copied = storage.run('copied', () => transferFile(eager, file.path))
  storage.run('other', () => {
    const taking = setInterval(() => outside.emit('take'))
    copied.finally(() => clearInterval(taking))
  })
  await copied
  assert.deepEqual(told, ['start aborted', 'error aborted', 'start copied', 'end copied'])
})

test('Writables get the same bytes, one piece after the other, with back-pressure', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const through = new PassThrough()
  const range = { start: 10, end: 2 * MIB }
  const [sent, arrived] = await Promise.all([transferFile(through, file.path, range), digest(through)])
  assert.deepEqual(sent, { ...result(2 * MIB - 9), zeroCopy: false, reason: isNative ? 'not-a-socket' : 'disabled' })
  assert.equal(arrived.sha256, sha256(file.bytes.subarray(10, 2 * MIB + 1)))

  let underWay = 0
  let most = 0
  const slow = new Writable({
    highWaterMark: 1,
    write (chunk, encoding, callback) {
      most = Math.max(most, ++underWay)
      setImmediate(() => { underWay--; callback() })
    }
  })
  await transferFile(slow, file.path)
  assert.equal(most, 1)
})

test('a Writable that fails, or closes, fails the call', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const failing = new Writable({ write (chunk, encoding, callback) { callback(new Error('full')) } })
  failing.on('error', () => {})
  await assert.rejects(transferFile(failing, file.path), { message: 'full', bytesSent: 0 })
  const closing = new PassThrough()
  const sending = transferFile(closing, file.path)
  closing.once('data', () => closing.destroy())
  await assert.rejects(sending, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
})

test('a destination whose own end() throws fails the call with that', async (t) => {
  const file = temporaryFile(t, 300_000)
  const { here } = await connection(t)
  const kinds = { socket: here, writable: new Writable({ write (chunk, encoding, callback) { callback() } }) }
  for (const [kind, destination] of Object.entries(kinds)) {
    const closed = once(destination, 'close')
    destination.end = () => { throw new Error(kind) }
    await assert.rejects(transferFile(destination, file.path), { message: kind })
    await closed
  }
})

test('zeroCopy: false copies, and fallback: false refuses to', async (t) => {
  const file = temporaryFile(t, 3 * MIB)
  const { here, there } = await connection(t)
  const before = stats().bytes.copied
  const [sent, arrived] = await Promise.all([transferFile(here, file.path, { zeroCopy: false }), digest(there)])
  assert.deepEqual(sent, { bytesSent: 3 * MIB, ...COPIED })
  assert.equal(arrived.sha256, sha256(file.bytes))
  assert.equal(stats().bytes.copied - before, 3 * MIB)

  const refused = (destination, reason) => assert.rejects(
    transferFile(destination, file.path, { fallback: false, zeroCopy: reason !== 'disabled' }),
    { code: 'ERR_SENDFILE_UNAVAILABLE', reason, bytesSent: 0 })
  if (isNative) await refused(new PassThrough(), 'not-a-socket')
  const other = await connection(t)
  await refused(other.here, 'disabled')
  if (isNative) {
    other.here._write = net.Socket.prototype._write.bind(other.here)
    await refused(other.here, 'wrapped')
  }
  other.here.end('unharmed')
  assert.equal((await digest(other.there)).sha256, sha256('unharmed'))
})

test('a socket whose methods were replaced gets the bytes through them', async (t) => {
  const file = temporaryFile(t, MIB)
  const { here, there } = await connection(t)
  here._write = function (...args) { return net.Socket.prototype._write.apply(this, args) }
  const [sent, arrived] = await Promise.all([transferFile(here, file.path), digest(there)])
  assert.equal(sent.zeroCopy, false)
  assert.equal(sent.reason, isNative ? 'wrapped' : 'disabled')
  assert.equal(arrived.sha256, sha256(file.bytes))
})
