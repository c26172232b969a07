'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { PassThrough, Writable } = require('node:stream')
const { pathToFileURL } = require('node:url')
const { Worker } = require('node:worker_threads')
const { stats, transferFile, watchWritable } = require('sendfile-native')
const {
  MIB, connection, descriptors, digest, fillForGood, isNative, numberOf, open, run, sha256, temporaryFile,
  temporaryFolder, test, turns, until
} = require('./helpers')
const testkit = require('./helpers/testkit')

const NATIVE = { zeroCopy: true, reason: null, changed: false }
const COPIED = { zeroCopy: false, reason: 'disabled', changed: false }

/** What a transfer of so many bytes resolves with, natively or with the kill switch. */
function result (bytesSent) {
  return { bytesSent, ...(isNative ? NATIVE : COPIED) }
}

for (const kind of ['TCP', 'unix']) {
  test(`a whole file to a ${kind} socket, and its end`, async (t) => {
    const file = temporaryFile(t, 20 * MIB)
    const listen = kind === 'unix' ? { path: `${temporaryFolder(t)}/s` } : undefined
    const { here, there } = await connection(t, listen)
    const before = stats()
    const [sent, arrived] = await Promise.all([transferFile(here, file.path), digest(there)])
    assert.deepEqual(sent, result(20 * MIB))
    assert.deepEqual(arrived, { sha256: sha256(file.bytes), length: 20 * MIB })
    if (isNative) {
      const { bytes } = stats()
      assert.equal(bytes.copied, before.bytes.copied)
      assert.ok(bytes.sendfile - before.bytes.sendfile > 19 * MIB, 'by sendfile(2)')
    }
    assert.equal(here.bytesWritten, 20 * MIB)
  })
}

test('files of every size around the cut-overs arrive whole', async (t) => {
  const { here, there } = await connection(t)
  const sizes = [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 69632, 262143, 262144, 262145, MIB - 1, MIB, MIB + 1]
  const files = sizes.map((size) => temporaryFile(t, size))
  const arrived = digest(there)
  for (const { path, bytes } of files) {
    assert.deepEqual(await transferFile(here, path, { endDestination: false }), result(bytes.length))
  }
  here.end()
  assert.equal((await arrived).sha256, sha256(Buffer.concat(files.map(({ bytes }) => bytes))))
})

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

test('calls and writes go out in the order they were made', async (t) => {
  const first = temporaryFile(t, 3 * MIB)
  const second = temporaryFile(t, 300)
  const third = temporaryFile(t, 100_000)
  const { here, there } = await connection(t)
  const arrived = digest(there)
  here.write('a')
  const calls = [transferFile(here, first.path, { endDestination: false })]
  here.write('b')
  here.write('c', 'latin1')
  calls.push(transferFile(here, second.path, { endDestination: false }))
  here.cork()
  calls.push(transferFile(here, third.path, { endDestination: false }))
  here.write(Buffer.from('d'))
  calls.push(transferFile(here, first.path, { endDestination: false, end: 9 }))
  process.nextTick(() => here.uncork())
  here.write('e')
  const sent = await Promise.all(calls)
  assert.deepEqual(sent.map(({ bytesSent }) => bytesSent), [3 * MIB, 300, 100_000, 10])
  here.end('f')
  const expected = Buffer.concat([
    Buffer.from('a'), first.bytes, Buffer.from('bc'), second.bytes, third.bytes, Buffer.from('d'),
    first.bytes.subarray(0, 10), Buffer.from('ef')
  ])
  assert.deepEqual(await arrived, { sha256: sha256(expected), length: expected.length })
})

test('Nagle\'s algorithm does not hold the end of a file behind a small write', async (t) => {
  const file = temporaryFile(t, 3000)
  /** Milliseconds for requests in turn, each answered with a small write and the file. */
  const measure = async (noDelay) => {
    const { here, there } = await connection(t)
    here.setNoDelay(noDelay)
    there.setNoDelay(true)
    here.on('data', () => {
      here.write('head')
      transferFile(here, file.path, { endDestination: false })
    }).resume()
    const began = process.hrtime.bigint()
    for (let i = 0; i < 30; i++) {
      there.write('x')
      for (let got = 0; got < 3004;) {
        const chunk = there.read()
        if (chunk === null) await once(there, 'readable')
        else got += chunk.length
      }
    }
    return Number(process.hrtime.bigint() - began) / 1e6
  }
  const [off, on] = [await measure(true), await measure(false)]
  if (isNative) assert.ok(on < off * 10, `${on} ms beside ${off} ms; held back it is some fifty times as long`)
})

test('to a socket that is still connecting', async (t) => {
  const file = temporaryFile(t, 200_000)
  const server = net.createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const socket = net.connect(server.address().port, '127.0.0.1')
  t.after(() => socket.destroy())
  const sending = transferFile(socket, file.path)
  const [there] = await once(server, 'connection')
  assert.equal((await digest(there)).sha256, sha256(file.bytes))
  assert.deepEqual(await sending, result(200_000))
})

test('a socket that never connects settles the call, and leaves no descriptor', async (t) => {
  const file = temporaryFile(t, 'x')
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  const before = descriptors().size
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  await assert.rejects(transferFile(socket, open(t, file.path)), { code: /^(ERR_STREAM_PREMATURE_CLOSE|ECONNREFUSED)$/, bytesSent: 0 })
  await until(() => descriptors().size <= before + 1)
})

test('10,000 files queued on one socket need no descriptor each', async (t) => {
  const file = temporaryFile(t, 'ten bytes.')
  const { here, there } = await connection(t)
  const before = descriptors().size
  let most = 0
  const calls = Array.from({ length: 10_000 }, () => transferFile(here, file.path, { endDestination: false })
    .then(() => { most = Math.max(most, descriptors().size) }))
  const arrived = digest(there)
  await Promise.all(calls)
  here.end()
  assert.equal((await arrived).length, 100_000)
  assert.ok(most <= before + 3, `${most - before} more at a time`)
})

test('one descriptor serves files at once, each from its own offset', async (t) => {
  const file = temporaryFile(t, 4 * MIB)
  const handle = await fs.promises.open(file.path)
  t.after(() => handle.close())
  await Promise.all([0, 1, MIB, 3 * MIB + 5].map(async (start) => {
    const { here, there } = await connection(t)
    const [, arrived] = await Promise.all([transferFile(here, handle, { start }), digest(there)])
    assert.equal(arrived.sha256, sha256(file.bytes.subarray(start)))
  }))
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

test('a destination that has ended or is destroyed is told at once', async (t) => {
  const file = temporaryFile(t, 'x')
  const ended = await connection(t)
  ended.here.end()
  await assert.rejects(transferFile(ended.here, file.path), { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
  const destroyed = await connection(t)
  destroyed.here.destroy()
  await assert.rejects(transferFile(destroyed.here, file.path), { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
})

test('destroy() in the middle: the call is settled, the peer sees the end at once, nothing is left open', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const before = descriptors().size
  for (let i = 0; i < 20; i++) {
    const { here, there } = await connection(t)
    const sending = transferFile(here, file.path)
    await once(there.resume(), 'data')
    here.destroy()
    const ended = new Promise((resolve) => there.on('end', resolve).on('close', resolve))
    await assert.rejects(sending, (err) => {
      assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
      assert.ok(err.bytesSent > 0 && err.bytesSent < file.bytes.length)
      return true
    })
    await ended
    there.destroy()
  }
  await until(() => descriptors().size <= before)
})

test('resetAndDestroy() in the middle resets the connection at once', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const sending = transferFile(here, file.path)
  await once(there.resume(), 'data')
  const failed = new Promise((resolve) => there.once('error', resolve))
  here.resetAndDestroy()
  await assert.rejects(sending, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  assert.equal((await failed).code, 'ECONNRESET')
})

test('a peer that resets fails the call, and the socket, with the system\'s error', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const failed = new Promise((resolve) => here.once('close', resolve))
  const sending = transferFile(here, file.path)
  await once(there.resume(), 'data')
  there.resetAndDestroy()
  await assert.rejects(sending, (err) => {
    assert.match(err.code, /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/)
    if (isNative) assert.ok(err.bytesSent > 0)
    return true
  })
  await failed
})

test('calls that one reset fails have an error each, with their own count', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const small = temporaryFile(t, 'x')
  const { here, there } = await connection(t)
  const calls = [file, small, small].map(({ path }) => transferFile(here, path, { endDestination: false }))
  await once(there.resume(), 'data')
  there.resetAndDestroy()
  const errors = (await Promise.allSettled(calls)).map(({ reason }) => reason)
  assert.equal(new Set(errors).size, 3)
  for (const err of errors) assert.match(err.code, /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/)
  assert.deepEqual(errors.slice(1).map(({ bytesSent }) => bytesSent), [0, 0])
})

test('end() after the call waits for the file; a half-closed peer gets all of it', async (t) => {
  const file = temporaryFile(t, 10 * MIB)
  const { here, there } = await connection(t)
  there.end()
  const sending = transferFile(here, file.path, { endDestination: false })
  here.end(' and the end')
  const [, arrived] = await Promise.all([sending, digest(there)])
  assert.equal(arrived.sha256, sha256(Buffer.concat([file.bytes, Buffer.from(' and the end')])))
})

test('aborted before its turn, a file is left out and the rest goes on', async (t) => {
  const file = temporaryFile(t, 10 * MIB)
  const { here, there } = await connection(t)
  const controller = new AbortController()
  const first = transferFile(here, file.path, { endDestination: false })
  const second = transferFile(here, file.path, { endDestination: false, signal: controller.signal })
  here.write('after')
  controller.abort(new Error('why'))
  await assert.rejects(second, (err) => {
    assert.equal(err.name, 'AbortError')
    assert.equal(err.code, 'ABORT_ERR')
    assert.equal(err.cause.message, 'why')
    assert.equal(err.bytesSent, 0)
    return true
  })
  const arrived = digest(there)
  await first
  here.end()
  assert.equal((await arrived).sha256, sha256(Buffer.concat([file.bytes, Buffer.from('after')])))
})

test('aborted in the middle, the connection is destroyed', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const controller = new AbortController()
  const sending = transferFile(here, file.path, { signal: controller.signal })
  await once(there.resume(), 'data')
  controller.abort()
  await assert.rejects(sending, (err) => err.name === 'AbortError' && err.bytesSent > 0)
  assert.ok(here.destroyed)
  assert.equal(require('node:events').getEventListeners(controller.signal, 'abort').length, 0)
})

test('an aborted signal leaves the destination untouched', async (t) => {
  const { here } = await connection(t)
  await assert.rejects(transferFile(here, __filename, { signal: AbortSignal.abort() }), { name: 'AbortError', bytesSent: 0 })
  assert.equal(here.writableLength, 0)
  assert.ok(!here.destroyed)
})

test('a file that becomes shorter fails the call and destroys the connection, without an \'error\'', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  let errors = 0
  here.on('error', () => errors++)
  const sending = transferFile(here, file.path)
  await once(there, 'readable')
  fs.truncateSync(file.path, 10 * MIB)
  const arrived = digest(there)
  await assert.rejects(sending, (err) => {
    assert.equal(err.code, 'ERR_SENDFILE_TRUNCATED')
    assert.ok(err.bytesSent <= 10 * MIB)
    return true
  })
  assert.ok(here.destroyed)
  assert.equal(errors, 0)
  assert.ok((await arrived).length <= 10 * MIB)
})

test('a file that grows sends what it was, and says that it changed', async (t) => {
  const file = temporaryFile(t, 20 * MIB)
  const { here, there } = await connection(t)
  const sending = transferFile(here, file.path)
  await once(there, 'readable')
  fs.appendFileSync(file.path, 'more')
  const [sent, arrived] = await Promise.all([sending, digest(there)])
  if (isNative) assert.deepEqual(sent, { ...result(20 * MIB), changed: true })
  assert.equal(arrived.sha256, sha256(file.bytes))
})

test('a file that is replaced sends the old one, and says so', async (t) => {
  const file = temporaryFile(t, 20 * MIB)
  const { here, there } = await connection(t)
  const sending = transferFile(here, file.path)
  await once(there, 'readable')
  fs.writeFileSync(`${file.path}.new`, 'new')
  fs.renameSync(`${file.path}.new`, file.path)
  const [sent, arrived] = await Promise.all([sending, digest(there)])
  if (isNative) assert.equal(sent.changed, true)
  assert.equal(arrived.sha256, sha256(file.bytes))
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

test('a peer that takes bytes, however slowly, is not idle; one that takes none is', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const IDLE_MS = 1000
  const { here, there } = await connection(t)
  testkit.setReceiveBuffer(numberOf(there), 4096)
  let timeouts = 0
  here.setTimeout(IDLE_MS, () => timeouts++)
  const sending = transferFile(here, file.path).catch((err) => err)
  const readable = () => new Promise((resolve) => there.once('readable', resolve))
  await readable()
  const end = Date.now() + 3 * IDLE_MS
  while (Date.now() < end) { // a little at a time: epoll stays silent for long
    if (there.read(16384) === null) await readable()
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 20))
  }
  if (isNative) assert.equal(timeouts, 0)
  if (timeouts === 0) await once(here, 'timeout')
  here.destroy()
  await sending
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

test('a stalled transfer costs no CPU, two descriptors, and goes on', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const handle = await fs.promises.open(file.path)
  t.after(() => handle.close())
  const pairs = await Promise.all(Array.from({ length: 20 }, () => connection(t)))
  const input = open(t, file.path)
  for (const { here } of pairs) await fillForGood(here, input)
  watchWritable(pairs[0].here) // the reactor has descriptors of its own
  const before = descriptors().size
  const sending = pairs.map(({ here }) => transferFile(here, handle))
  await turns(50)
  const { cpuTicks } = require('./helpers')
  const ticks = cpuTicks()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  assert.ok(cpuTicks() - ticks <= 10, 'a tenth of the time at most')
  if (isNative) assert.ok(descriptors().size - before <= 2 * pairs.length)
  for (const { there } of pairs) there.resume()
  await Promise.all(sending)
})

test('worker.terminate() in the middle leaves no descriptor, and the peer sees the end', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const before = descriptors().size
  const server = net.createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(`
      const net = require('node:net')
      const { workerData: { port, path }, parentPort } = require('node:worker_threads')
      const { transferFile } = require('sendfile-native')
      const socket = net.connect(port, '127.0.0.1')
      transferFile(socket, path)
    `, { eval: true, workerData: { port: server.address().port, path: file.path } })
    const [there] = await once(server, 'connection')
    const closed = new Promise((resolve) => there.on('error', () => {}).once('close', resolve))
    await once(there, 'data')
    await worker.terminate()
    await closed
  }
  await until(() => descriptors().size <= before + 1)
})

test('a pending transfer keeps the process alive as long as its socket does', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const program = (then) => `
    const net = require('node:net')
    const { transferFile } = require('sendfile-native')
    const server = net.createServer({ pauseOnConnect: true }, (here) => {
      server.close()
      there.unref()
      transferFile(here, ${JSON.stringify(file.path)}, { endDestination: false })
        .then(({ bytesSent }) => { console.log(bytesSent); here.unref() }, (err) => console.log(err.code))
      ${then}
    }).listen(0, '127.0.0.1', () => { there = net.connect(server.address().port, '127.0.0.1').pause() })
    let there
  `
  const cases = [
    ['setTimeout(() => there.resume(), 50).unref()', `${40 * MIB}\n`],
    // A copy is a pending write of Node's own, which unref() does not let go of.
    ...(isNative ? [['setTimeout(() => here.unref(), 50).unref()', '']] : []),
    ['setTimeout(() => process.exit(), 50)', '']
  ]
  for (const [then, output] of cases) {
    const { code, stdout, stderr } = await run(program(then))
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: output, stderr: '' }, then)
  }
})

test('without a descriptor for the engine, the transfer goes on from the JavaScript thread', async (t) => {
  const file = temporaryFile(t, 20 * MIB)
  const { stdout, stderr } = await run(`
    const crypto = require('node:crypto')
    const fs = require('node:fs')
    const { connection, digest } = require('./test/helpers')
    const { stats, transferFile, watchWritable } = require('sendfile-native')
    const after = []
    async function main () {
      const t = { after: (f) => after.push(f) }
      const warm = await connection(t)
      await Promise.all([transferFile(warm.here, ${JSON.stringify(file.path)}), digest(warm.there)]) // the threads run
      const reactor = stats().bytes.reactor
      const { here, there } = await connection(t)
      const destroyed = await connection(t)
      const file = fs.openSync(${JSON.stringify(file.path)})
      const sending = transferFile(here, file)
      const cut = transferFile(destroyed.here, file)
      const taken = []
      try { for (;;) taken.push(fs.openSync('/dev/null')) } catch {}
      const arrived = digest(there)
      const { bytesSent } = await sending
      console.log(bytesSent, (await arrived).sha256, stats().bytes.reactor - reactor)
      destroyed.here.destroy()
      console.log((await cut.catch((err) => err)).code)
      for (const fd of taken) fs.closeSync(fd)
      for (const f of after) f()
    }
    main()
  `, { openFiles: 64 })
  assert.equal(stderr, '')
  assert.equal(stdout, `${20 * MIB} ${sha256(file.bytes)} 0\nERR_STREAM_PREMATURE_CLOSE\n`)
})
