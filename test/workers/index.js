'use strict'

// node test/workers [--quick] [--times N] [--seed N]
//
// Workers that alone load the addon are terminated in the middle of what they do: sending inline, on the reactor, with
// a disk thread that waits, in a watch, in a blocking call. First one at a time, so that each is the last environment
// there is; then several at once beside one that goes on. Every connection has to end with the worker, no descriptor
// and no thread may be left behind, and a later worker and the main thread have to send right bytes.

const { fork, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { MIB, descriptors, until } = require('../helpers')
const { Proof, build, folder, options } = require('../helpers/long-proof')
const { threadsOf } = require('../helpers/server')
const slowfs = require('../helpers/slowfs')
const { contents } = require('../soak/contents')
const { Random } = require('../soak/random')
const { receive, request } = require('./receiver')

const { quick, seed, times } = options('workers', { times: [1000, 150] })
const proof = new Proof('workers', seed)
const random = new Random(seed)

/** What no busy machine takes: whoever waits so long waits for ever. */
const PATIENCE_MS = 60_000
const AT_ONCE = 4
const LOOK_EVERY = 25
const MOST_DELAY_MS = 4
const DISK_THREADS = 8

const SIZES = { small: 20_000, large: 8 * MIB, slow: MIB, other: MIB }

class Host {
  constructor () {
    this.child = fork(path.join(__dirname, 'host.js'), [], { execArgv: ['--expose-gc', '--no-warnings'] })
    this.nextId = 1
    this.waiting = new Map()
    process.on('exit', () => this.child.kill('SIGKILL'))
    this.exited = once(this.child, 'exit')
    this.child.on('message', (message) => {
      if (message.failure) return proof.found(`in the process: ${message.failure}`)
      for (const name of Object.keys(message)) this.promise(message.id, name).resolve(message[name])
    })
    this.child.on('exit', (code, signal) => {
      if (this.mayEnd && code === 0) return
      proof.found(`the process has ended: ${signal ?? code}`)
      proof.end()
      process.exit(1)
    })
  }

  get pid () {
    return this.child.pid
  }

  promise (id, name) {
    const key = `${id} ${name}`
    if (!this.waiting.has(key)) {
      const waiting = {}
      waiting.promise = new Promise((resolve) => { waiting.resolve = resolve })
      this.waiting.set(key, waiting)
    }
    return this.waiting.get(key)
  }

  /** What it says of this id by this name, before or after. */
  async told (id, name) {
    return patiently(this.promise(id, name).promise, `${name} of ${id}`)
  }

  tell (command, given = {}) {
    const id = given.id ?? this.nextId++
    this.child.send({ command, ...given, id })
    return id
  }

  forget (id) {
    for (const key of this.waiting.keys()) if (key.startsWith(`${id} `)) this.waiting.delete(key)
  }

  async ask (command, given, name) {
    const id = this.tell(command, given)
    const answer = await this.told(id, name)
    this.forget(id)
    return answer
  }
}

async function patiently (promise, what) {
  const over = new AbortController()
  const late = sleep(PATIENCE_MS, null, { signal: over.signal }).then(() => { throw new Error(`waited for ever: ${what}`) })
  try {
    return await Promise.race([promise, late])
  } finally {
    late.catch(() => {})
    over.abort()
  }
}

/** What each way of being in the middle needs; `stalls`: the client does not read. */
const MODES = {
  inline: { name: 'small' },
  flowing: { name: 'large' },
  reactor: { name: 'large', stalls: true },
  pipe: { name: 'large', stalls: true },
  watch: { name: 'large', stalls: true },
  static: { name: 'small' },
  cold: { name: 'large', stalls: true },
  call: { name: 'large' },
  reading: { name: 'slow' },
  opening: { name: 'other' }
}

class Rounds {
  constructor (host, shared, mounted) {
    this.host = host
    this.shared = shared
    this.mounted = mounted
    this.counts = {}
    this.pipes = 0
    // One round at a time stalls the file system.
    this.slow = Promise.resolve()
    this.modes = Object.keys(MODES).filter((mode) => mounted || !['reading', 'opening'].includes(mode))
  }

  async run (mode) {
    const isSlow = mode === 'reading' || mode === 'opening'
    if (!isSlow) return this.round(mode)
    this.slow = this.slow.then(() => this.round(mode))
    return this.slow
  }

  async round (mode) {
    const { host } = this
    const { name, stalls } = MODES[mode]
    const op = { reading: 'read', opening: 'open' }[mode]
    const file = path.join(op ? this.mounted.folder : this.shared, name)
    if (mode === 'cold') forget(file)
    if (op) await this.mounted.command(`stall ${op} ${name}`)
    const count = async (op) => Number(await this.mounted.command(`count ${op} ${name}`))
    const calls = op && await count(op)
    const releases = op && await count('release')
    const ends = mode === 'call' ? await this.openPipe() : null

    const id = host.tell('start', { mode, file, out: ends?.[1] })
    let receiver = null
    if (mode !== 'call') {
      const port = await host.told(id, 'port')
      receiver = mode === 'static' ? request(port, name, SIZES[name]) : receive(port, name, SIZES[name], { stalls })
    }
    await host.told(id, 'there')
    if (op) await patiently(until(async () => await count(op) > calls), mode)
    if (random.chance(0.8)) await sleep(random.next() * MOST_DELAY_MS)
    host.tell('terminate', { id })
    await host.told(id, 'exited')
    host.forget(id)
    receiver?.resume()
    // While the disk thread waits, too: nobody but the worker held the connection.
    if (receiver) proof.result.bytes += await patiently(receiver.ended, `the end of a connection, ${mode}`)
    if (op) {
      await this.mounted.command(`resume ${op} ${name}`)
      // Whoever waited for it closes it.
      await patiently(until(async () => await count('release') > releases), `the end of a file, ${mode}`)
    }
    if (ends) await host.ask('close', { ends }, 'closed')
    this.counts[mode] = (this.counts[mode] ?? 0) + 1
    proof.result.cases++
    proof.result.faults++
  }

  async openPipe () {
    const fifo = path.join(this.shared, `pipe-${this.pipes++}`)
    const { status } = spawnSync('mkfifo', [fifo])
    if (status !== 0) throw new Error('mkfifo failed')
    const ends = await this.host.ask('open', { fifo }, 'ends')
    fs.rmSync(fifo)
    return ends
  }
}

/** Drops the bytes of a file from memory. */
function forget (file) {
  spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'])
}

/** What the process holds; the threads that wait for disks stay, and are at most so many. */
function condition (pid) {
  const open = [...descriptors(pid).values()].map((target) => target.replace(/:\[\d+\]$/, ''))
    .filter((target) => target !== '/dev/urandom').sort() // Node's own, kept from when it needs it first
  const threads = fs.readdirSync(`/proc/${pid}/task`).length
  const disk = threadsOf(pid, 'sendfile-disk').length
  return {
    open: open.join(' '), threads: threads - disk, disk,
    calls: threadsOf(pid, 'sendfile-call').length, reactors: threadsOf(pid, 'sendfile-epoll').length
  }
}

/** Looks until it is as it was before; what is still different after a long time is a finding. */
async function assertBack (host, before, when) {
  const isBack = () => {
    const now = condition(host.pid)
    return now.open === before.open && now.threads <= before.threads && now.calls <= before.calls &&
      now.reactors === 1 && now.disk <= DISK_THREADS
  }
  try {
    await patiently(until(isBack), 'back')
  } catch {
    if (!isBack()) proof.found(`${when}: ${JSON.stringify(before)}, and then ${JSON.stringify(condition(host.pid))}`)
  }
}

async function main () {
  build('slowfs')
  const shared = folder('workers')
  for (const [name, size] of Object.entries(SIZES)) fs.writeFileSync(path.join(shared, name), contents(name, 0, size))
  const cleanups = []
  const reason = slowfs.unavailable()
  const files = Object.fromEntries(['slow', 'other'].map((name) => [name, contents(name, 0, SIZES[name])]))
  const mounted = reason === '' ? await slowfs.mount({ after: (cleanup) => cleanups.push(cleanup) }, files) : null
  await mounted?.command('cache direct') // or what one round has read is in memory for the next
  if (!mounted) proof.note(`no worker was terminated while a slow file system was opened or read: ${reason}`)
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  if (libc === 'glibc') proof.note('on glibc; the same under a musl build of Node: run this file with it')
  proof.say(`${times} times, --seed ${seed}, Node ${process.version}, ${libc}${quick ? ', quick' : ''}`)

  const host = new Host()
  const rounds = new Rounds(host, shared, mounted)
  for (const mode of rounds.modes) await rounds.run(mode) // what is made once is there
  await patiently(until(() => condition(host.pid).calls === 0), 'the threads of calls')
  await sleep(500)
  const before = condition(host.pid)
  const memory = [await host.ask('memory', {}, 'memory')]

  const alone = Math.ceil(times / 2)
  for (let done = 0; done < alone; done++) {
    await rounds.run(rounds.modes[done % rounds.modes.length])
    if (done % LOOK_EVERY === LOOK_EVERY - 1) {
      await assertBack(host, before, `after ${done + 1} workers`)
      proof.say(`${done + 1} terminated one by one, ${Math.round(proof.result.bytes / MIB)} MiB right, ${proof.result.findings} findings`)
    }
  }
  await assertBack(host, before, 'one by one')
  memory.push(await host.ask('memory', {}, 'memory'))

  // One that stays, and sends all the while.
  const survivor = host.tell('start', { mode: 'inline', file: path.join(shared, 'small') })
  const beside = receive(await host.told(survivor, 'port'), 'small', SIZES.small)
  let left = times - alone
  const lane = async () => {
    while (left > 0) {
      left--
      const received = beside.bytes.received
      await rounds.run(random.pick(rounds.modes))
      await patiently(until(() => beside.bytes.received > received), 'the worker that stays')
      if (left % LOOK_EVERY === 0) proof.say(`${times - left} terminated, ${AT_ONCE} at once, ${proof.result.findings} findings`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  host.tell('terminate', { id: survivor })
  proof.result.bytes += await patiently(beside.ended, 'the end of the worker that stayed')
  await assertBack(host, before, `${AT_ONCE} at once`)
  memory.push(await host.ask('memory', {}, 'memory'))

  const later = host.tell('start', { mode: 'whole', file: path.join(shared, 'large') })
  await whole(await host.told(later, 'port'), 'a later worker')
  host.tell('terminate', { id: later })
  await host.told(later, 'exited')
  await whole(await host.ask('serve', { folder: shared }, 'port'), 'the main thread')
  await assertBack(host, before, 'at the end')

  host.mayEnd = true
  host.tell('end')
  await patiently(host.exited, 'the end of the process').catch((err) => proof.found(err.message))
  for (const cleanup of cleanups) await cleanup()
  proof.say(`ways: ${JSON.stringify(rounds.counts)}; ${before.open.split(' ').length} descriptors, ${before.threads} threads and ${before.disk} for disks before and after; RSS in MiB at the start, one by one, at once: ${memory.map((bytes) => Math.round(bytes / MIB)).join(', ')}`)
  proof.end()
}

async function whole (port, who) {
  const receiver = receive(port, 'large', SIZES.large)
  const bytes = await patiently(receiver.ended, who)
  proof.check(bytes === SIZES.large, `${who} has sent ${bytes} bytes of ${SIZES.large}`)
  proof.result.bytes += bytes
}

main().catch((err) => {
  proof.found(err.stack)
  proof.end()
  process.exit()
})
