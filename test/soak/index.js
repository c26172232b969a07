'use strict'

// npm run soak -- [--minutes N] [--seed S] [--only SESSION]
//
// Random sessions against a server on transferFile, every byte compared with a model, for so many minutes.
// Then everything has to be as it was before. A failure prints the seed and the session, and `--only` runs
// that one again and again.

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { tellProof } = require('../helpers/proof')
const { runSession } = require('./client')
const { condition } = require('./condition')
const { writeContents } = require('./contents')
const { LARGEST, fixedFiles, sessionPlan, warmUpPlans } = require('./plan')
const { closeUploads, runUpload } = require('./upload')

const CONNECTIONS = 32
const REPORT_MS = 10_000
/** How long things may take to be back to the start. */
const SETTLE_MS = 15_000
const MOST_PRINTED = 20

const options = { minutes: '1' }
for (let args = process.argv.slice(2); args.length > 0; args = args.slice(2)) options[args[0].replace(/^--/, '')] = args[1]
const minutes = Number(options.minutes)
const seed = options.seed === undefined ? Math.floor(Math.random() * 0x100000000) : Number(options.seed)
const isKnown = Object.keys(options).every((name) => ['minutes', 'seed', 'only'].includes(name))
if (!isKnown || !(minutes > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak -- [--minutes N] [--seed S] [--only SESSION]')
  process.exit(2)
}

class Soak {
  constructor () {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-soak-'))
    this.files = fixedFiles(seed)
    this.counts = new Map()
    this.bytes = 0
    this.failures = 0
    this.told = new Set()
    this.sessions = 0
    this.running = new Map()
    this.world = {
      folder: this.folder,
      places: null,
      counted: (kind) => this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1),
      verified: (bytes) => { this.bytes += bytes }
    }
  }

  async run () {
    console.log(`soak: ${minutes} minutes, --seed ${seed}, Node ${process.version}, ` +
      `SENDFILE_NATIVE=${process.env.SENDFILE_NATIVE ?? ''}`)
    process.on('warning', (warning) => this.fail(null, `client: ${warning.stack}`))
    process.on('unhandledRejection', (err) => this.fail(null, `client: unhandled: ${err?.stack}`))
    process.on('exit', () => fs.rmSync(this.folder, { recursive: true, force: true }))
    for (const { name, size } of this.files) await writeContents(path.join(this.folder, name), name, size)
    await this.startServer()
    await this.warmUp()

    const before = await this.conditions()
    this.began = Date.now()
    const reporting = setInterval(() => { this.report() }, REPORT_MS)
    await this.work()
    clearInterval(reporting)
    this.isOver = true
    const after = await this.backToStart(before)

    this.table(before, after)
    this.hasEnded = true
    this.server.disconnect()
    process.exitCode = this.failures === 0 ? 0 : 1
    // Nothing is left to do: the process ends by itself, or that is a failure too.
    setTimeout(() => {
      console.error(`FAILURE --seed ${seed}: the client does not end by itself`)
      process.exit(1)
    }, SETTLE_MS).unref()
  }

  async startServer () {
    this.server = fork(path.join(__dirname, 'server.js'), [this.folder], { execArgv: ['--expose-gc', '--no-warnings'] })
    this.server.on('exit', (code, signal) => {
      if (this.hasEnded) return
      this.fail(null, `the server has ended: ${code ?? signal}; sessions: ${JSON.stringify([...this.running.values()])}`)
      process.exit(1)
    })
    this.server.on('message', ({ failure }) => {
      // An id begins with the number of its session, which the warming up counts below zero.
      if (failure) this.fail(failure.id === null ? null : parseInt(failure.id), failure.message)
    })
    const [{ places }] = await once(this.server, 'message')
    this.world.places = places
  }

  /** One of everything, so that what is made once is there when things are counted first. */
  async warmUp () {
    const name = 'warm'
    await writeContents(path.join(this.folder, name), name, LARGEST)
    for (let round = 0; round < 3; round++) await Promise.all(warmUpPlans(name).map((plan) => this.session(plan)))
    closeUploads()
    this.counts.clear()
    this.bytes = 0
    await this.quiet()
  }

  async work () {
    const end = this.began + minutes * 60_000
    const only = options.only && sessionPlan(seed, Number(options.only), this.files)
    const worker = async () => {
      while (Date.now() < end) {
        const number = this.sessions++
        await this.session(only ?? sessionPlan(seed, number, this.files))
      }
    }
    // A session that changes files of its own cannot run beside itself.
    await Promise.all(Array.from({ length: only?.ownFiles?.length > 0 ? 1 : CONNECTIONS }, worker))
    closeUploads()
  }

  async session (plan) {
    this.running.set(plan.number, plan)
    try {
      if (plan.kind === 'upload') await runUpload(plan, this.world)
      else await runSession(plan, this.world)
    } catch (err) {
      this.fail(plan.number, err.message)
    }
    this.running.delete(plan.number)
  }

  fail (number, message) {
    // The plan once, and the same warning once.
    const key = number ?? message
    const isRepeated = this.told.has(key)
    this.told.add(key)
    this.failures++
    if ((this.told.size > MOST_PRINTED && !this.isOver) || (isRepeated && number === null)) return
    const plan = number === null || number < 0 || isRepeated ? '' : `\n  plan: ${JSON.stringify(sessionPlan(seed, number, this.files))}`
    const only = number === null ? '' : ` --only ${number}`
    console.error(`FAILURE --seed ${seed}${only}: ${message}${plan}`)
  }

  async conditions () {
    return { client: condition(), server: await this.askServer() }
  }

  async askServer () {
    this.server.send('condition')
    for (;;) {
      const [message] = await once(this.server, 'message')
      if (message.condition) return message.condition
    }
  }

  /** Nobody sends any more, and every connection is closed. */
  async quiet () {
    const until = Date.now() + SETTLE_MS
    for (;;) {
      const { client, server } = await this.conditions()
      const open = [client, server].some(({ unsettled, stats }) => unsettled.length > 0 || stats.transfers.active > 0)
      if ((!open && server.connections === 0) || Date.now() > until) return { client, server }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async backToStart (before) {
    let after = await this.quiet()
    const until = Date.now() + SETTLE_MS
    const differs = () => ['client', 'server'].find((side) => `${before[side].descriptors}` !== `${after[side].descriptors}`)
    while (differs() && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      after = await this.conditions()
    }
    for (const side of ['client', 'server']) {
      const { descriptors, unsettled, stats } = after[side]
      if (`${before[side].descriptors}` !== `${descriptors}`) {
        this.fail(null, `${side}: descriptors: ${before[side].descriptors.join(' ')}\n  and at the end: ${descriptors.join(' ')}`)
      }
      if (unsettled.length > 0) this.fail(null, `${side}: ${unsettled.length} calls did not settle: ${JSON.stringify(unsettled.slice(0, 5))}`)
      if (stats.transfers.active !== 0) this.fail(null, `${side}: ${stats.transfers.active} transfers are still active`)
    }
    if (after.server.connections > 0) this.fail(null, `server: ${after.server.connections} connections are still open`)
    return after
  }

  async report () {
    const { descriptors, rss, unsettled, stats } = await this.askServer()
    const seconds = Math.round((Date.now() - this.began) / 1000)
    console.log(`${seconds} s: ${this.sessions} sessions, ${this.operations()} operations, ${mib(this.bytes)} MiB verified, ` +
      `${this.failures} failures; server: ${descriptors.length} descriptors, ${mib(rss)} MiB, ` +
      `${unsettled.length} unsettled, ${stats.transfers.active} active`)
  }

  operations () {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  table (before, after) {
    const row = (name, ...cells) => console.log(`  ${name.padEnd(28)}${cells.map((cell) => String(cell).padStart(12)).join('')}`)
    console.log(`operations in ${this.sessions} sessions`)
    for (const [kind, count] of [...this.counts].sort()) row(kind, count)
    row('all', this.operations())
    row('MiB verified', mib(this.bytes))
    console.log('by lane, in MiB')
    for (const side of ['client', 'server']) {
      const { bytes, fallbacks } = after[side].stats
      for (const [lane, count] of Object.entries(bytes)) row(`${side}: ${lane}`, mib(count))
      if (Object.keys(fallbacks).length > 0) row(`${side}: fallbacks`, JSON.stringify(fallbacks))
    }
    console.log(`  ${''.padEnd(28)}${'start'.padStart(12)}${'end'.padStart(12)}`)
    for (const side of ['client', 'server']) {
      const [start, end] = [before[side], after[side]]
      row(`${side}: descriptors`, start.descriptors.length, end.descriptors.length)
      row(`${side}: unsettled calls`, start.unsettled.length, end.unsettled.length)
      row(`${side}: active transfers`, start.stats.transfers.active, end.stats.transfers.active)
      for (const kind of ['rss', 'heapUsed', 'external']) row(`${side}: ${kind}, MiB`, mib(start[kind]), mib(end[kind]))
    }
    console.log(`failures: ${this.failures} (--seed ${seed})`)
    tellProof({ cases: this.sessions, bytes: this.bytes, findings: this.failures })
  }
}

function mib (bytes) {
  return Math.round(bytes / (1 << 20))
}

new Soak().run().catch((err) => {
  console.error(err)
  process.exit(1)
})
