'use strict'

// What holds for a whole process: limits that are reached, and kernels and containers that refuse a system call to
// everybody, from the beginning.

const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const { constants: { errno: numbers } } = require('node:os')
const { straceUnavailable } = require('../helpers/server')
const { textOf, wrongsOf } = require('./judge')
const { MemoryGroup } = require('./memory-group')
const { Site } = require('./site')

const KIB = 1024
/** What is served there is more than that, so that pages go and come. */
const GROUP_BYTES = 40 * KIB * KIB

/** Their numbers, where seccomp(2) has to know them: the same on every architecture but for the first and the third. */
const NUMBERS = {
  x64: { sendfile: 40, preadv2: 327, statx: 332 },
  arm64: { sendfile: 71, preadv2: 286, statx: 291 }
}[process.arch]

const ALL = [
  ['static', 'tiny'], ['static', 'middle'], ['static', 'large'], ['static', 'cold'], ['transfer', 'small'],
  ['transfer', 'large'], ['transfer', 'cold'], ['stream', 'middle'], ['length', 'large'], ['raw', 'tiny'], ['raw', 'large'],
  ['raw', 'cold']
]

/** Why the errors of a limit are what they are. */
const OF_DESCRIPTORS = ['EMFILE', 'ENFILE']
const OF_THREADS = ['EAGAIN']
const OF_MEMORY = ['ENOMEM', 'EAGAIN']

class Conditions {
  /** @param {object} how `isQuick`, `users` as of users.js */
  constructor (files, proof, { isQuick, users }) {
    this.files = files
    this.proof = proof
    this.isQuick = isQuick
    this.users = users.map(({ name }) => name)
    this.uids = new Map(users.map(({ name, uid }) => [name, uid]))
    /** What became of the requests of each. */
    this.rows = []
  }

  async run (isWanted) {
    for (const { title, user, run } of this.list()) {
      if (!isWanted(`${title} ${user}`)) continue
      const name = `${title}, as ${user}`
      try {
        const texts = await run(name, this.uids.get(user))
        if (texts) this.rows.push({ title, user, text: texts })
        console.log(`${name}: ${texts}`)
      } catch (err) {
        this.proof.found(`${name}: ${err.stack}`)
      }
    }
  }

  list () {
    const { users } = this
    const both = (title, run) => users.map((user) => ({ title, user, run }))
    const list = []
    for (const code of ['ENOSYS', 'EPERM']) {
      for (const calls of [['sendfile'], ['openat2'], ['cachestat'], ['preadv2'], ['statx'], ['openat2', 'cachestat', 'preadv2', 'sendfile', 'statx']]) {
        if (this.isQuick && code === 'EPERM' && ['preadv2', 'statx'].includes(calls[0])) continue
        list.push(...both(`seccomp(2) refuses ${calls.join(', ')} with ${code}`, (name, uid) => this.refused(name, uid, calls, code)))
      }
    }
    for (const call of ['openat2', 'preadv2', 'openat2,preadv2']) {
      list.push(...both(`strace(1) refuses ${call} with ENOSYS from the first call on`, (name, uid) => this.withoutCalls(name, uid, call)))
    }
    list.push(...both('nothing is refused', (name, uid) => this.refused(name, uid, [], 'ENOSYS')))
    for (const spare of [0, 3, 9]) {
      list.push(...both(`RLIMIT_NOFILE leaves ${spare} descriptors`, (name, uid) => this.descriptors(name, uid, spare)))
    }
    list.push({
      title: 'RLIMIT_NPROC is reached, and no thread was there',
      user: users.at(-1), // root is not bound by it
      run: (name, uid) => this.threads(name, uid)
    })
    for (const spare of [64 * KIB, 4 * KIB * KIB]) {
      list.push(...both(`RLIMIT_AS is ${spare / KIB} KiB above what is mapped`, (name, uid) => this.memory(name, uid, spare)))
    }
    list.push(...both('a control group has memory for half of the files', (name, uid) => this.crowded(name, uid)))
    return list
  }

  /** A kernel, or a container, without these calls: everything is served all the same. */
  async refused (name, uid, calls, code) {
    const numbersOf = { openat2: 437, cachestat: 451, ...NUMBERS }
    if (calls.some((call) => numbersOf[call] === undefined)) {
      this.proof.note(`not on ${process.arch}: ${name}`)
      return null
    }
    const site = await Site.start(this.files, { uid, refuse: calls.map((call) => [numbersOf[call], numbers[code]]) })
    return this.serves(site, name)
  }

  async withoutCalls (name, uid, calls) {
    if (straceUnavailable()) {
      this.proof.note(`${straceUnavailable()}: ${name}`)
      return null
    }
    // -D: the process that is started is the server's own.
    const through = ['strace', '-D', '-f', '-qqq', '-o', '/dev/null', '-e', 'signal=none', '-e', `trace=${calls}`,
      '-e', `inject=${calls}:error=ENOSYS:when=1+`]
    return this.serves(await Site.start(this.files, { uid, through }), name)
  }

  /** All is whole, once cold and twice at once, and nothing is left open. */
  async serves (site, name) {
    await site.warm()
    const outcomes = []
    for (const [way, size] of ALL) outcomes.push(await this.ask(site, way, size))
    for (let round = 0; round < 2; round++) {
      outcomes.push(...await Promise.all(ALL.map(([way, size]) => this.ask(site, way, size))))
    }
    return this.isWhole(site, name, outcomes)
  }

  async isWhole (site, name, outcomes) {
    const found = (text) => this.proof.found(`${name}: ${text}`)
    outcomes.push(...await site.resume())
    for (const outcome of outcomes) {
      this.count(outcome)
      if (outcome.seen.kind !== 'whole' || !outcome.told.result) found(`${outcome.way}: ${textOf(outcome.seen, outcome.told)}`)
    }
    await this.isOver(site, found)
    return summaryOf(outcomes)
  }

  /** No descriptors are left for a while. */
  async descriptors (name, uid, spare) {
    const site = await Site.start(this.files, { uid })
    await site.warm()
    const lift = limit(site.host, uid, 'nofile', highestWith(site.host.pid, spare))
    return this.suffers(site, name, lift, OF_DESCRIPTORS)
  }

  /** The system refuses every thread, from before the first one of the addon. */
  async threads (name, uid) {
    const site = await Site.start(this.files, { uid })
    const lift = limit(site.host, uid, 'nproc', 1)
    return this.suffers(site, name, lift, OF_THREADS)
  }

  /** No memory is left: V8's own end is none of this package's. */
  async memory (name, uid, spare) {
    const site = await Site.start(this.files, { uid })
    if (spare > 64 * KIB) await site.warm()
    const status = fs.readFileSync(`/proc/${site.host.pid}/status`, 'latin1')
    const mapped = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)[1]) * KIB
    const lift = limit(site.host, uid, 'as', mapped + spare)
    return this.suffers(site, name, lift, OF_MEMORY)
  }

  /** The kernel takes back pages of files while they are sent. */
  async crowded (name, uid) {
    const group = MemoryGroup.make(GROUP_BYTES)
    if (group === null) {
      this.proof.note(`no control group can be limited: ${name}`)
      return null
    }
    const site = await Site.start(this.files, { uid })
    await site.warm()
    const huge = ['struck-huge.bin', 'other-huge.bin']
    for (const file of huge) this.files.drop(file)
    group.take(site.host.pid)
    const outcomes = []
    for (let round = 0; round < 4; round++) {
      const asked = ['static', 'transfer', 'stream', 'raw'].map((way, index) => site.ask(way, huge[(index + round) % 2]))
      outcomes.push(...await Promise.all(asked))
    }
    const { hits } = group
    if (hits === 0) this.proof.found(`${name}: the limit was never reached`)
    this.proof.faults++
    const text = await this.isWhole(site, name, outcomes)
    await once(site.host.child, 'exit')
    group.remove()
    return text
  }

  /** Many ask at once while a limit holds: what is not whole is told; once it is lifted, all is as before. */
  async suffers (site, name, lift, errnos) {
    const found = (text) => this.proof.found(`${name}: ${text}`)
    const outcomes = []
    const ask = ([way, size]) => this.ask(site, way, size, { mayBeTurnedAway: true })
    for (let round = 0; round < 3; round++) outcomes.push(...await Promise.all(ALL.map(ask)))
    lift()
    if (!site.host.isAlive) return this.afterEnd(site.host.death, name)
    for (const outcome of outcomes) {
      this.count(outcome)
      if (outcome.seen.kind !== 'whole') this.proof.faults++
      const { way, seen, told } = outcome
      // libuv takes a connection that it has no descriptor for, and closes it: nobody is told.
      if (told.turnedAway) continue
      const size = this.files.bytes.get(outcome.name).length
      const rule = { errnos, isSurvived: false, counts: way === 'transfer' || way === 'raw', size }
      for (const wrong of wrongsOf(seen, told, rule)) found(`${way} of ${outcome.name}: ${wrong}`)
    }
    for (const [way, size] of ALL) {
      const { seen, told } = await this.ask(site, way, size)
      if (seen.kind !== 'whole') found(`${way} of ${size} afterwards: ${textOf(seen, told)}`)
    }
    for (const { seen, told } of await site.resume()) {
      if (seen.kind !== 'whole') found(`a connection that had stood still: ${textOf(seen, told)}`)
    }
    await this.isOver(site, found)
    return summaryOf(outcomes)
  }

  /** What V8 cannot be refused is memory. */
  afterEnd (death, name) {
    if (!/FATAL ERROR:.*(?:memory|allocation)/i.test(death)) {
      this.proof.found(`${name}: the process ended: ${death}`)
      return null
    }
    this.proof.note(`${name}: V8 ended the process for want of memory`)
    return 'V8 ends the process'
  }

  async ask (site, way, size, options) {
    const name = `struck-${size}.bin`
    if (size === 'cold') this.files.drop(name)
    return { name, ...await site.ask(way, name, options) }
  }

  count ({ seen }) {
    this.proof.cases++
    if (seen.kind !== 'wrong') this.proof.bytes += seen.length
  }

  async isOver (site, found) {
    const { host } = site
    if (!host.isAlive) found(`the process ended: ${host.death}`)
    for (const text of host.uncaught) found(`uncaught: ${text}`)
    if (site.before !== null) {
      const more = await host.settled({ open: site.before.open, active: 0 })
      if (more !== null) found(`left open: ${more.open.join(', ') || 'nothing'}; under way: ${more.active}`)
    }
    site.stop()
  }
}

/** The limit that leaves so many numbers for descriptors. */
function highestWith (pid, spare) {
  const used = new Set(fs.readdirSync(`/proc/${pid}/fd`).map(Number))
  let number = 0
  for (let free = 0; used.has(number) || free < spare; number++) free += used.has(number) ? 0 : 1
  return number
}

/** Sets a limit of a running process, as its own user; what is returned lifts it again. */
function limit ({ pid }, uid, name, value) {
  const run = (...args) => {
    const who = uid === undefined ? {} : { uid, gid: uid }
    const options = { encoding: 'utf8', ...who }
    const { error, status, stdout, stderr } = spawnSync('prlimit', ['--pid', String(pid), ...args], options)
    if (error) throw error
    if (status !== 0) throw new Error(`prlimit: ${stderr.trim()}`)
    return stdout.trim()
  }
  const before = run(`--${name}`, '--noheadings', '--raw', '-o', 'SOFT')
  run(`--${name}=${value}:`)
  return () => {
    try {
      run(`--${name}=${before}:`)
    } catch {
      // the process has ended, which is told elsewhere
    }
  }
}

/** What became of the requests, in a text that is the same in each run: the kinds, not how many of each. */
function summaryOf (outcomes) {
  const texts = new Set(outcomes.map(({ seen, told }) => told.turnedAway ? 'turned away' : textOf(seen, told)))
  return [...texts].sort().join('; ')
}

module.exports = { Conditions }
