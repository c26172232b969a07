'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { once } = require('node:events')
const http2 = require('node:http2')
const net = require('node:net')
const { before } = require('node:test')
const util = require('node:util')
const { Worker } = require('node:worker_threads')
const { EAGAIN, trySendfile, watchWritable } = require('sendfile-native')
const {
  MIB, connection, cpuTicks, descriptors, digest, fill, fillForGood, numberOf, open, run, sha256, startReactor,
  temporaryFile, temporaryFolder, test, threads, turns, until
} = require('./helpers')

before(startReactor)

/** A connection that takes no more, and a count of the 'drain' events on it. */
async function full (t, listen) {
  const input = open(t, process.execPath)
  const { here, there } = await connection(t, listen)
  await fillForGood(here, input)
  let drains = 0
  here.on('drain', () => drains++)
  return { here, there, input, drains: () => drains }
}

for (const kind of ['TCP', 'unix']) {
  test(`'drain' comes once when a ${kind} peer makes room, and not before`, async (t) => {
    const { here, there, input, drains } = await full(t, kind === 'unix' ? { path: `${temporaryFolder(t)}/s` } : undefined)
    watchWritable(here)
    watchWritable(here) // adds nothing
    await turns(20)
    assert.equal(drains(), 0)

    there.resume()
    await once(here, 'drain')
    assert.ok(trySendfile(here, input, 0, 1) > 0)
    fill(here, input)
    await turns(100) // the peer reads on, and room comes and goes
    assert.equal(drains(), 1)
  })
}

test('on a socket with room, \'drain\' comes at once, but later than the call', async (t) => {
  const { here } = await connection(t)
  let drained = false
  here.once('drain', () => { drained = true })
  watchWritable(here)
  assert.equal(drained, false)
  await once(here, 'drain')
})

test('a whole file in the loop of 2010, with a peer that stalls, byte for byte', async (t) => {
  const file = temporaryFile(t, 30 * MIB)
  const input = open(t, file.path)
  const { here, there } = await connection(t)
  let off = 0
  let drains = 0
  const send = () => {
    for (let n; (n = trySendfile(here, input, off, MIB)) !== 0;) {
      if (n === EAGAIN) {
        here.once('drain', () => { drains++; send() })
        watchWritable(here)
        return
      }
      assert.ok(n > 0)
      off += n
    }
    here.end()
  }
  send()
  await turns(50)
  assert.deepEqual(await digest(there), { sha256: sha256(file.bytes), length: file.bytes.length })
  assert.ok(drains > 0)
})

test('waiting costs no CPU', async (t) => {
  const { here, drains } = await full(t)
  watchWritable(here)
  const [reactor] = threads('sendfile-epoll')
  const before = { reactor: cpuTicks(process.pid, reactor), process: cpuTicks() }
  const WINDOW_MS = 1000
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
  assert.equal(cpuTicks(process.pid, reactor), before.reactor, 'ticks of the thread that waits')
  assert.ok(cpuTicks() - before.process < WINDOW_MS / 10 / 10, 'ticks of the process: a tenth of the time')
  assert.equal(drains(), 0)
})

test('\'drain\' is emitted in the async context of the call that began the watch', async (t) => {
  const storage = new AsyncLocalStorage()
  await Promise.all(Array.from({ length: 50 }, async (_, request) => {
    const { here, there } = await full(t)
    const seen = new Promise((resolve) => here.once('drain', () => resolve(storage.getStore())))
    if (request % 2 === 0) { // half of them wait for the JavaScript queue first
      here.cork()
      here.write('some bytes')
      assert.ok(here.writableLength > 0)
    }
    storage.run(request, () => watchWritable(here))
    storage.run('another', () => watchWritable(here))
    storage.run('the reader', () => {
      here.uncork()
      there.resume()
    })
    assert.equal(await seen, request)
  }))
})

test('bytes queued in JavaScript leave first', async (t) => {
  const { here, there, drains } = await full(t)
  assert.equal(here.write('queued'), true, 'too few for a \'drain\' of Node\'s own')
  assert.equal(here.writableLength, 6)
  watchWritable(here)
  await turns(20)
  assert.equal(drains(), 0)
  there.resume()
  await once(here, 'drain')
  assert.equal(here.writableLength, 0)
  await turns(20)
  assert.equal(drains(), 1)
})

test('a corked socket waits for uncork, without CPU', async (t) => {
  const { here, there } = await connection(t)
  let drains = 0
  here.on('drain', () => drains++)
  here.cork()
  here.write('corked')
  watchWritable(here)
  const before = cpuTicks()
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.ok(cpuTicks() - before < 10)
  assert.equal(drains, 0)
  here.uncork()
  await once(here, 'drain')
  here.end()
  assert.equal((await digest(there)).sha256, sha256('corked'))
})

test('bytes that are queued while it waits for the kernel leave first, too', async (t) => {
  const { here, there } = await full(t)
  watchWritable(here)
  here.write('meanwhile')
  there.resume()
  await once(here, 'drain')
  assert.equal(here.writableLength, 0)
})

test('after end() with bytes queued, \'drain\' comes, and the next sendfile says EPIPE', async (t) => {
  const { here, there, input } = await full(t)
  here.end('the last bytes')
  watchWritable(here)
  there.resume()
  await once(here, 'drain')
  assert.equal(util.getSystemErrorName(trySendfile(here, input, 0, 1)), 'EPIPE')
})

test('closing the socket cancels it, and the peer sees the end at once', async (t) => {
  const before = descriptors()
  const { here, there, drains } = await full(t)
  watchWritable(here)
  here.destroy()
  await once(here, 'close')
  there.resume()
  await once(there, 'end')
  there.destroy()
  await once(there, 'close')
  await turns(20)
  assert.equal(drains(), 0)
  const left = [...descriptors()].filter(([fd, target]) => before.get(fd) !== target && target.startsWith('socket:'))
  assert.deepEqual(left, [])
})

test('also when the listeners of the socket were removed, and when it is connected again', async (t) => {
  const { accepted, connect } = await silentServer(t)
  const input = open(t, process.execPath)
  const sockets = () => [...descriptors().values()].filter((target) => target.startsWith('socket:')).length
  const before = sockets()

  const removed = await connect()
  await fillForGood(removed, input)
  watchWritable(removed)
  removed.removeAllListeners()
  removed.on('error', () => {}).destroy()
  await once(removed, 'close')
  await until(() => accepted.length === 1)
  accepted.pop().destroy()
  await until(() => sockets() === before)

  const again = await connect()
  watchWritable(again)
  again.destroy()
  await once(again, 'close')
  await until(() => accepted.length === 1)
  again.connect(accepted[0].localPort, '127.0.0.1').pause()
  await once(again, 'connect')
  await fillForGood(again, input)
  watchWritable(again)
  again.destroy()
  await once(again, 'close')
  await until(() => accepted.length === 2)
  while (accepted.length > 0) accepted.pop().destroy()
  await until(() => sockets() === before)
})

test('the socket of an HTTP/2 session is the session\'s', async (t) => {
  const server = http2.createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const session = http2.connect(`http://127.0.0.1:${server.address().port}`)
  await once(session, 'connect')
  assert.throws(() => watchWritable(session.socket), { code: 'ERR_HTTP2_NO_SOCKET_MANIPULATION' })
  assert.throws(() => trySendfile(session.socket, 0, 0, 1), { code: 'ERR_HTTP2_NO_SOCKET_MANIPULATION' })
  session.destroy()
})

test('a watch that is cancelled while it waits for the queue ends as quietly', async (t) => {
  const { here, there, drains } = await full(t)
  here.write('never sent')
  watchWritable(here)
  here.destroy()
  await once(here, 'close')
  there.resume()
  await once(there, 'end')
  assert.equal(drains(), 0)
})

test('a peer that resets is never met with silence', async (t) => {
  for (const reading of [false, true]) {
    const { here, there, input } = await full(t)
    if (reading) here.resume()
    const told = new Promise((resolve) => here.once('drain', resolve).once('close', resolve))
    watchWritable(here)
    await turns(5)
    there.resetAndDestroy()
    await told
    if (here.destroyed) continue // its own 'error' and 'close' said it
    assert.match(util.getSystemErrorName(trySendfile(here, input, 0, 1)), /^(ECONNRESET|EPIPE)$/)
  }
})

test('watches again and again on one socket, and leaves no descriptor', async (t) => {
  const { here, there, input, drains } = await full(t)
  const before = descriptors().size
  there.resume()
  for (let i = 0; i < 200; i++) {
    fill(here, input)
    watchWritable(here)
    await once(here, 'drain')
  }
  assert.equal(drains(), 200)
  assert.equal(descriptors().size, before)
})

/** A server that never reads, until the test ends. */
async function silentServer (t) {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  const accepted = []
  server.on('connection', (socket) => accepted.push(socket.on('error', () => {})))
  t.after(() => {
    server.close()
    for (const socket of accepted) socket.destroy()
  })
  await once(server, 'listening')
  const connect = async () => {
    const socket = net.connect(server.address().port, '127.0.0.1').on('error', () => {}).pause()
    await once(socket, 'connect')
    return socket
  }
  return { server, accepted, connect }
}

test('1,000 connections that are destroyed while watched leave no descriptor', async (t) => {
  const input = open(t, process.execPath)
  const { server, accepted, connect } = await silentServer(t)
  const closed = new Set()
  server.on('connection', (here) => {
    fill(here, input)
    watchWritable(here)
    here.on('close', () => closed.add(here))
  })
  const before = descriptors().size
  for (let batch = 0; batch < 20; batch++) {
    const connected = await Promise.all(Array.from({ length: 50 }, connect))
    await until(() => accepted.length === 50)
    for (const [i, here] of accepted.entries()) {
      // Either side may be the first to go.
      const [first, second] = i % 2 === 0 ? [here, connected[i]] : [connected[i], here]
      first.destroy()
      if (i % 3 === 0) await turns(1)
      second.destroy()
    }
    await until(() => accepted.every((here) => closed.has(here)) && connected.every((there) => there.closed))
    accepted.length = 0
  }
  assert.equal(closed.size, 1000)
  assert.equal(descriptors().size, before)
})

test('a number that was closed and reused gets no other socket\'s event', async (t) => {
  const input = open(t, process.execPath)
  const { accepted, connect } = await silentServer(t)
  let drains = 0
  const old = await connect()
  await fillForGood(old, input)
  old.on('drain', () => drains++)
  watchWritable(old)
  const number = numberOf(old)
  old.destroy()
  await once(old, 'close')

  const next = await connect()
  t.after(() => next.destroy())
  assert.equal(numberOf(next), number, 'the number was reused')
  await fillForGood(next, input)
  next.on('drain', () => drains++)
  watchWritable(next)
  accepted[0].resume()
  await once(accepted[0], 'end')
  await turns(20)
  assert.equal(drains, 0)
  accepted[1].resume()
  await once(next, 'drain')
})

test('keeps the process alive as long as the socket may, and no longer', async () => {
  const program = (then) => `
    const http2 = require('node:http2')
const net = require('node:net')
const { before } = require('node:test')
    const { watchWritable } = require('sendfile-native')
    const { fill } = require('./test/helpers')
    const fs = require('node:fs')
    const server = net.createServer({ pauseOnConnect: true }, (here) => {
      server.close()
      there.unref()
      fill(here, fs.openSync(process.execPath))
      here.on('drain', () => { console.log('drain'); here.unref() })
      ${then}
    }).listen(0, '127.0.0.1', () => { there = net.connect(server.address().port, '127.0.0.1').pause() })
    let there
    process.on('exit', () => console.log('exit'))
  `
  const cases = [
    ['watchWritable(here); setTimeout(() => there.resume(), 50).unref()', 'drain\nexit\n'],
    ['watchWritable(here); here.unref()', 'exit\n'],
    ['here.unref(); watchWritable(here)', 'exit\n'],
    ['here.unref(); watchWritable(here); here.ref(); setTimeout(() => there.resume(), 50).unref()', 'drain\nexit\n'],
    ['watchWritable(here); setTimeout(() => here.destroy(), 50).unref()', 'exit\n']
  ]
  for (const [then, output] of cases) {
    const { code, stdout, stderr } = await run(program(then))
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: output, stderr: '' }, then)
  }
})

test('works in a worker that alone has loaded the addon, and again after it has gone', async () => {
  const { code, stdout, stderr } = await run(`
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    async function main () {
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(${JSON.stringify(WORKER)}, { eval: true })
        await once(worker, 'message')
        await worker.terminate()
        const pending = new Worker(${JSON.stringify(PENDING_WORKER)}, { eval: true })
        await once(pending, 'message')
        await pending.terminate() // with its watches pending
        console.log('done')
      }
    }
    main()
  `)
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'done\n'.repeat(3), stderr: '' })
})

const FULL_PAIR = `
  const net = require('node:net')
  const fs = require('node:fs')
  const { parentPort } = require('node:worker_threads')
  const { watchWritable } = require('sendfile-native')
  const { fill } = require('./test/helpers')
  const server = net.createServer((here) => {
    server.close()
    fill(here, fs.openSync(process.execPath))
    watchWritable(here)
    connected(here)
  }).listen(0, '127.0.0.1', () => { there = net.connect(server.address().port, '127.0.0.1').pause() })
  let there
`
const WORKER = `${FULL_PAIR}
  function connected (here) {
    here.once('drain', () => parentPort.postMessage('drain'))
    there.resume()
  }
`
const PENDING_WORKER = `${FULL_PAIR}
  function connected (here) { parentPort.postMessage('pending') }
`

test('workers that are terminated with watches pending leave no descriptor', async () => {
  // Files that the worker itself opened are Node's to close.
  const sockets = () => [...descriptors().values()].filter((name) => name.startsWith('socket:'))
  const before = sockets()
  for (let i = 0; i < 20; i++) {
    const worker = new Worker(PENDING_WORKER, { eval: true })
    await once(worker, 'message')
    await worker.terminate()
  }
  await until(() => sockets().every((socket) => before.includes(socket)))
})

test('without room for a descriptor it throws EMFILE, and works when there is room', async () => {
  const { stdout, stderr } = await run(`
    const fs = require('node:fs')
    const { connection, turns } = require('./test/helpers')
    const { watchWritable } = require('sendfile-native')
    const after = []
    connection({ after: (f) => after.push(f) }).then(async ({ here, there }) => {
      watchWritable(here) // the reactor has started
      await new Promise((resolve) => here.once('drain', resolve))
      const taken = []
      try { for (;;) taken.push(fs.openSync('/dev/null')) } catch {}
      try { watchWritable(here) } catch (err) { console.log(err.message) }
      taken.forEach((fd) => fs.closeSync(fd))
      here.once('drain', () => { console.log('drain'); after.forEach((f) => f()) })
      watchWritable(here)
    })
  `, { openFiles: 64 })
  assert.equal(stderr, '')
  assert.equal(stdout, 'EMFILE: too many open files, dup\ndrain\n')
})
