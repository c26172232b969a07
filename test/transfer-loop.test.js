'use strict'

// The event loop goes on while files are sent, and nobody waits for somebody else's big file. What is asserted is the
// order of events and who moved the bytes, no times.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const readline = require('node:readline')
const { stats, transferFile } = require('sendfile-native')
const { MIB, connection, digest, isNative, root, sha256, temporaryFile, test, turns, until } = require('./helpers')

const DISCARD = path.join(root, 'test', 'fixtures', 'discard.js')

/** A test of the reactor: copying is done by the event loop itself. */
function loopTest (name, run) {
  test(name, async (t) => isNative ? run(t) : t.skip('zero copy is switched off'))
}

/** So many connections to a process that reads them and keeps nothing; `lengths` resolves with what each got. */
async function readers (t, connections) {
  const sockets = []
  const server = net.createServer((socket) => sockets.push(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const child = spawn(process.execPath, [DISCARD, String(server.address().port), String(connections)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => {
    child.kill('SIGKILL')
    for (const socket of sockets) socket.destroy()
  })
  const lengths = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await until(() => sockets.length === connections)
  server.close()
  return {
    sockets,
    lengths: async () => {
      const got = []
      for await (const line of lengths) got.push(Number(line))
      return got
    }
  }
}

/** Sends a file on a connection of its own; resolves when all of it has arrived, and is right. */
async function roundTrip (t, file) {
  const { here, there } = await connection(t)
  const [, { sha256: arrived }] = await Promise.all([transferFile(here, file.path), digest(there)])
  assert.equal(arrived, sha256(file.bytes))
}

loopTest('the loop turns, and answers others, while 64 big files take all that the machine has', async (t) => {
  const CONNECTIONS = 64
  const SIZE = 64 * MIB
  const TOTAL = CONNECTIONS * SIZE
  const file = temporaryFile(t, SIZE)
  const inline = temporaryFile(t, 10_000)
  const onReactor = temporaryFile(t, MIB)
  const { sockets, lengths } = await readers(t, CONNECTIONS)
  const before = stats().bytes

  const sent = () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
  let done = 0
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  t.after(() => clearInterval(timer))
  const calls = sockets.map((socket) => transferFile(socket, file.path).then(() => { done++ }))
  await until(() => sent() > TOTAL / 100)

  for (let i = 0; i < 5; i++) {
    await roundTrip(t, inline)
    await roundTrip(t, onReactor)
  }
  assert.equal(done, 0, 'ten others were answered before the first of the big ones was done')
  const from = { ticks, sent: sent() }
  await turns(1000)
  assert.ok(sent() < TOTAL, 'a thousand turns of the loop before they were done')
  while (sent() < TOTAL) await turns(1)
  // The loop is late when something else has its core; blocked by a transfer it would turn a few dozen times.
  const share = (TOTAL - from.sent) / TOTAL
  assert.ok(ticks - from.ticks > 100 * share, `a timer of 1 ms fired ${ticks - from.ticks} times`)

  await Promise.all(calls)
  assert.deepEqual(await lengths(), Array(CONNECTIONS).fill(SIZE))
  const { bytes } = stats()
  const moved = (lane) => bytes[lane] - before[lane]
  assert.ok(moved('inline') < TOTAL / 100, `${moved('inline')} bytes left on the event loop`)
  assert.ok(moved('reactor') > TOTAL * 0.99)
  assert.equal(moved('copied'), 0)
})

loopTest('50 small answers are not kept waiting by one client that takes all it can get', async (t) => {
  const TIMES = 32
  const big = temporaryFile(t, 64 * MIB)
  const { sockets: [socket], lengths } = await readers(t, 1)
  const events = []
  const calls = Array.from({ length: TIMES }, (_, i) => {
    return transferFile(socket, big.path, { endDestination: i === TIMES - 1 })
  })
  const whole = Promise.all(calls).then(() => events.push('big'))
  await until(() => socket.bytesWritten > MIB)
  // More than what may leave inline: its rest waits for its turn on the reactor.
  const small = temporaryFile(t, 300_000)
  const answers = Array.from({ length: 50 }, () => roundTrip(t, small).then(() => events.push('small')))
  await Promise.all([whole, ...answers])
  assert.deepEqual(events, [...Array(50).fill('small'), 'big'])
  assert.deepEqual(await lengths(), [TIMES * big.bytes.length])
})
