'use strict'

// node test/load [--quick] [--minutes N] [--connections N] [--seed N]
//
// Thousands of connections to one process: one half are downloads that stall and are left after a while, the other ask
// for small files now and then, on connections that stay for a few requests. Memory and descriptors of the second half
// of the time are compared with the first, and so is how long a small request takes. Then, with all of them open,
// `close()` has to let transfers finish, `closeAllConnections()` to end the rest, and the process to end by itself.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { MIB } = require('../helpers')
const { Proof, build, client, folder, marked, options, replace } = require('../helpers/long-proof')
const { Random } = require('../soak/random')
const { startDownload } = require('./download')

const { quick, seed, minutes, ...wanted } = options('load', { minutes: [10, 0.8], connections: [10_000, 4000] })
const proof = new Proof('load', seed)

const KIB = 1024
const CLIENTS = 4
/** Several, because there are few port numbers for one. */
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']
const LARGE = { id: 100, size: 64 * MIB }
const DOWNLOADS = 8
/** The beginning, in which all connections are made, is not compared. */
const RAMP = 0.2
const SAMPLES = 40
const SPARE = 600
const END_MS = 60_000

/** What one connection may leave behind: less than the smallest object that stands for one. */
const LEFT_BEHIND = 64
/** What the halves may differ by however little happens: pages and semi-spaces that come and go. */
const SLACK = { heapUsed: 6 * MIB, external: 4 * MIB, rss: 48 * MIB }
/** Only what is out of all proportion: other programs have the processor, too. */
const ABSURD_RATIO = 20
const ABSURD_MS = 2000

const { through, connections } = roomFor(wanted.connections)

function median (numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/**
 * Room for each connection, and for the duplicate and the file of each other one: a command that runs another with so
 * many descriptors, and how many connections that makes.
 */
function roomFor (count) {
  const limit = 2 * count + SPARE
  const through = (most) => ['prlimit', `--nofile=${most}:${most}`]
  const [command, ...args] = [...through(limit), 'true']
  if (spawnSync(command, args).status === 0) return { through: through(limit), connections: count }
  const [, hard] = /^Max open files +\d+ +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))
  const connections = Math.min(count, Math.floor((hard - SPARE) / 2 / CLIENTS) * CLIENTS)
  if (connections < count) proof.note(`${connections} connections: this machine gives a process ${hard} descriptors at most`)
  return { through: through(Math.min(hard, limit)), connections }
}

function startServer (shared, through) {
  const command = [...through, process.execPath, '--expose-gc', '--no-warnings', path.join(__dirname, 'server.js'), shared, ADDRESSES.join()]
  const server = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  process.on('exit', () => server.kill('SIGKILL'))
  server.exited = once(server, 'exit')
  server.on('exit', (code, signal) => {
    if (server.mayEnd && code === 0) return
    proof.found(`the server has ended: ${signal ?? code}`)
    proof.end()
    process.exit(1)
  })
  server.on('message', ({ failure }) => { if (failure) proof.found(`server: ${failure}`) })
  server.next = async (wanted) => {
    for (;;) {
      const [message] = await once(server, 'message')
      if (wanted in message) return message[wanted]
    }
  }
  server.ask = (command, wanted) => {
    const answer = server.next(wanted)
    server.send(command)
    return answer
  }
  return server
}

/** Both halves of what was sampled. */
function halves (samples) {
  const middle = Math.floor(samples.length / 2)
  return [samples.slice(0, middle), samples.slice(middle)]
}

function compareMemory (samples) {
  const [first, second] = halves(samples)
  const churned = median(second.map(({ accepted }) => accepted)) - median(first.map(({ accepted }) => accepted))
  for (const [kind, slack] of Object.entries(SLACK)) {
    const [before, after] = [first, second].map((half) => median(half.map((sample) => sample[kind])))
    proof.say(`${kind} in MiB: ${(before / MIB).toFixed(1)} in the first half, ${(after / MIB).toFixed(1)} in the second, ${churned} connections later`)
    proof.check(after - before <= slack + LEFT_BEHIND * churned, `${kind} grew by ${after - before} bytes in ${churned} connections`)
  }
  const [before, after] = [first, second].map((half) => median(half.map(({ open }) => open)))
  proof.say(`descriptors: ${before} in the first half, ${after} in the second`)
  proof.check(after <= before + connections / 20, `there were ${before} descriptors, and then ${after}`)
}

function compareLatency (windows) {
  const [first, second] = halves(windows)
  const [before, after] = [first, second].map((half) => median(half.map(({ p99 }) => p99)))
  const [soon, late] = [first, second].map((half) => median(half.map(({ p50 }) => p50)))
  proof.say(`a small request: p50 ${soon} ms and then ${late} ms, p99 ${before} ms and then ${after} ms, ratio ${(after / before).toFixed(2)}`)
  proof.check(after < ABSURD_MS || after < before * ABSURD_RATIO, `p99 went from ${before} ms to ${after} ms`)
}

async function load (server, places, files, through) {
  const seconds = minutes * 60
  const samples = []
  const windows = []
  let open = 0
  const lines = new Map()
  const clients = Array.from({ length: CLIENTS }, (_, index) => client(proof, [
    '--mode', 'load', '--seed', String(seed), '--first', String(index << 28), '--seconds', String(seconds),
    '--at-once', String(Math.round(connections / CLIENTS / 2) * 2), ...places.flatMap((place) => ['--http', place]),
    ...files.flatMap(({ id, size }) => ['--file', `${id}:${size}`])
  ], {
    through,
    until: server.exited,
    heard: (line) => {
      lines.set(index, line)
      if (line.seconds > seconds * RAMP && line.seconds < seconds && line.window > 0) windows.push(line)
    }
  }))
  const began = Date.now()
  let told = 0
  while (Date.now() - began < seconds * 1000) {
    await sleep(seconds * 1000 / SAMPLES)
    const sample = await server.ask('condition', 'condition')
    if (Date.now() - began > seconds * 1000 * RAMP) samples.push(sample)
    open = Math.max(open, sample.connections)
    if (told++ % 4 === 0) {
      const sum = (name) => [...lines.values()].reduce((all, line) => all + line[name], 0)
      proof.say(`${Math.round((Date.now() - began) / 1000)} s: ${sample.connections} open, ${sample.accepted} accepted, ${sample.active} transfers active, ${sum('answers')} small requests, ${sample.open} descriptors, RSS ${Math.round(sample.rss / MIB)} MiB, heap ${Math.round(sample.heapUsed / MIB)} MiB, p99 ${[...lines.values()].map(({ p99 }) => p99).join(' ')} ms`)
    }
  }
  return { clients, samples, windows, open }
}

async function main () {
  build('proof-client')
  const shared = folder('load')
  const random = new Random(seed)
  const files = Array.from({ length: 20 }, (_, index) => ({ id: index + 1, size: 8 * (1 + random.size(2 * KIB)) }))
  for (const file of [...files, LARGE]) replace(shared, file, 0)
  proof.say(`${connections} connections, ${minutes} minutes, --seed ${seed}, Node ${process.version}${quick ? ', quick' : ''}`)

  const server = startServer(shared, through)
  const places = await server.next('places')
  const { clients, samples, windows, open } = await load(server, places, [...files, LARGE], through)
  proof.check(open >= connections * 0.9, `there were never more than ${open} connections`)
  compareMemory(samples)
  compareLatency(windows)

  const bytes = marked(LARGE.id, 0, LARGE.size)
  const downloads = await Promise.all(Array.from({ length: DOWNLOADS }, (_, index) => {
    return startDownload(places[index % places.length], LARGE.id, bytes)
  }))
  const closing = await server.ask('close', 'closing')
  const whole = await Promise.all(downloads.map(({ finish }) => finish()))
  proof.check(whole.every(Boolean), `close() has not let transfers finish: ${whole}`)
  const { connections: left, active } = await server.ask('condition', 'condition')
  proof.say(`close() with ${closing.connections} connections: ${whole.filter(Boolean).length} of ${DOWNLOADS} downloads finished, ${left} connections and ${active} transfers are left`)
  proof.check(active >= connections / 4, `only ${active} transfers were left to end`)

  server.mayEnd = true
  const began = Date.now()
  const { connections: ended, took } = await server.ask('end', 'ended')
  const patience = setTimeout(() => {
    proof.found('the server does not end by itself')
    server.mayEnd = false
    server.kill('SIGKILL')
  }, END_MS)
  await server.exited
  clearTimeout(patience)
  const results = await Promise.all(clients)
  const sum = (name) => results.reduce((all, result) => all + result[name], 0)
  proof.say(`closeAllConnections() ended ${ended} in ${Math.round(took)} ms, and the process ended ${Date.now() - began} ms after it; ${sum('answers')} small requests, ${sum('left')} stalled downloads left`)
  proof.check(sum('refused') === 0, 'a connection was refused')

  Object.assign(proof.result, {
    cases: sum('done'), faults: sum('left') + sum('cut'), bytes: sum('bytes') + DOWNLOADS * LARGE.size
  })
  fs.rmSync(shared, { recursive: true })
  proof.end()
}

main().catch((err) => {
  proof.found(err.stack)
  proof.end()
  process.exit()
})
