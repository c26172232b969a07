'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { before } = require('node:test')
const { Worker } = require('node:worker_threads')
const { transferFile, watchWritable } = require('sendfile-native')
const {
  MIB, connection, descriptors, digest, fillForGood, isNative, numberOf, open, run, sha256, startReactor,
  temporaryFile, test, turns, until
} = require('./helpers')
const { result } = require('./helpers/results')
const testkit = require('./helpers/testkit')

before(startReactor)

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

test('a destination that has ended or is destroyed is told at once', async (t) => {
  const file = temporaryFile(t, 'x')
  const ended = await connection(t)
  ended.here.end()
  await assert.rejects(transferFile(ended.here, file.path), { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
  const destroyed = await connection(t)
  destroyed.here.destroy()
  await assert.rejects(transferFile(destroyed.here, file.path), { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
})

test('a destination whose handle somebody else takes while its bytes are copied is told as one that was closed', async (t) => {
  const file = temporaryFile(t, 80 * MIB)
  const { here, there } = await connection(t)
  here.on('error', () => {}) // net's own
  const sending = transferFile(here, file.path, { zeroCopy: false })
  await until(() => here.bytesWritten > MIB)
  const handle = here._handle
  t.after(() => handle.close())
  here._handle = null // as of a socket that is sent to another process
  there.resume()
  await assert.rejects(sending, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
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
  const server = net.createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  // Others may be Node's, which a worker that is terminated leaves to the process.
  const kept = () => [...descriptors().values()].filter((name) => name.startsWith('socket:') || name === file.path)
  const before = kept()
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
  await until(() => kept().every((name) => before.includes(name)))
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
