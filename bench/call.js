'use strict'

// What a call costs: nanoseconds for each form of sendfile, beside the bare system call measured in
// Rust in the same run. The answer to the question of 2010, whether the exception for EAGAIN costs so
// much that the asynchronous call would be better.   npm run bench:call

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { EAGAIN, promises, sendfile, trySendfile } = require('sendfile-native')
const { describe } = require('./lib/machine')
const { median, number, spread } = require('./lib/statistics')

const ROUNDS = 7
const ITERATIONS = 200_000
const ASYNC_ITERATIONS = 20_000
const BYTES = 4096
const SETTLE_MS = 100
const FILE = process.execPath

const root = path.join(__dirname, '..')

function bareSyscall () {
  const cargo = ['run', '--quiet', '--release', '--locked', '-p', 'bench-syscall', '--', FILE, String(ITERATIONS)]
  return JSON.parse(execFileSync('cargo', cargo, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }))
}

function time (iterations, call) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < iterations; i++) call()
  return Number(process.hrtime.bigint() - start) / iterations
}

async function timeAsync (iterations, call) {
  const start = process.hrtime.bigint()
  for (let i = 0; i < iterations; i++) await call()
  return Number(process.hrtime.bigint() - start) / iterations
}

async function timeBatches (atOnce, call) {
  const batches = ASYNC_ITERATIONS / atOnce | 0
  const batch = () => Promise.all(Array.from({ length: atOnce }, call))
  return await timeAsync(batches, batch) / atOnce
}

function expect (value, expected) {
  if (value !== expected) throw new Error(`a call answered ${value} instead of ${expected}`)
}

/** A connection of this process to itself that takes no more. */
async function fullSocket (file) {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = net.connect(server.address().port, '127.0.0.1')
  const [[peer]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
  server.close()
  // What is on its way to the peer makes room once more when it arrives.
  for (let taken = 1; taken > 0;) {
    taken = 0
    for (let n; (n = trySendfile(socket, file, 0, 1 << 20)) > 0;) taken += n
    await sleep(SETTLE_MS)
  }
  return { socket, close: () => { socket.destroy(); peer.destroy() } }
}

async function main () {
  const file = fs.openSync(FILE, 'r')
  const devNull = fs.openSync('/dev/null', 'w')
  const { socket, close } = await fullSocket(file)
  const numberOfSocket = socket._handle.fd

  const cases = {
    'bare system call, success (Rust)': null,
    '`sendfile`, success': () => time(ITERATIONS, () => expect(sendfile(devNull, file, 0, BYTES), BYTES)),
    '`trySendfile`, success': () => time(ITERATIONS, () => expect(trySendfile(devNull, file, 0, BYTES), BYTES)),
    '`sendfile` with a callback, round trip': () => timeAsync(ASYNC_ITERATIONS, () => new Promise((resolve, reject) => {
      sendfile(devNull, file, 0, BYTES, (err, bytes) => err ? reject(err) : resolve(bytes))
    })),
    '`promises.sendfile`, round trip': () => timeAsync(ASYNC_ITERATIONS, () => promises.sendfile(devNull, file, 0, BYTES)),
    'the same, 64 at once, each': () => timeBatches(64, () => promises.sendfile(devNull, file, 0, BYTES)),
    'bare system call, EAGAIN (Rust)': null,
    '`sendfile`, EAGAIN thrown and caught': () => time(ITERATIONS, () => {
      try {
        sendfile(numberOfSocket, file, 0, BYTES)
      } catch (err) {
        expect(err.errno, EAGAIN)
      }
    }),
    '`trySendfile`, EAGAIN returned': () => time(ITERATIONS, () => expect(trySendfile(numberOfSocket, file, 0, BYTES), EAGAIN)),
    '`sendfile` with a callback, EAGAIN, round trip': () => timeAsync(ASYNC_ITERATIONS, () => new Promise((resolve) => {
      sendfile(numberOfSocket, file, 0, BYTES, (err) => resolve(expect(err.errno, EAGAIN)))
    }))
  }

  const results = new Map(Object.keys(cases).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    const bare = bareSyscall()
    results.get('bare system call, success (Rust)').push(bare.success)
    results.get('bare system call, EAGAIN (Rust)').push(bare.eagain)
    for (const [name, measure] of Object.entries(cases)) {
      if (measure !== null) results.get(name).push(await measure())
    }
  }
  close()

  console.log(`${describe()}; median (min to max) of ${ROUNDS} rounds`)
  console.log()
  console.log('| call | ns | over the bare call |')
  console.log('| --- | ---: | ---: |')
  let bare
  for (const [name, values] of results) {
    const middle = median(values)
    if (name.startsWith('bare')) bare = middle
    const over = middle === bare ? '' : `+${number(middle - bare, 0)}`
    console.log(`| ${name} | ${spread(values, 0)} | ${over} |`)
  }
}

main()
