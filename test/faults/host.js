'use strict'

// The server's process: its port, its threads, what it has open, and how each call ended for its program.

const { spawn } = require('node:child_process')
const path = require('node:path')
const { descriptors, root: repository } = require('../helpers')
const { threadsOf } = require('../helpers/server')

const SERVER = path.join(__dirname, 'server.js')
const SETTLE_MS = 10_000
const PATIENCE_MS = 30_000

class Host {
  /** @param {object} how `root` and `refuse` as of the server; `uid`; `through`, a command that runs it */
  static async start ({ root, refuse = [], uid, through = [] }) {
    const host = new Host()
    const [file, ...args] = [...through, process.execPath, SERVER, JSON.stringify({ root, refuse })]
    const who = uid === undefined ? {} : { uid, gid: uid }
    host.child = spawn(file, args, { cwd: repository, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], ...who })
    host.stderr = ''
    host.child.stderr.setEncoding('utf8').on('data', (text) => { host.stderr = (host.stderr + text).slice(0, 10_000) })
    host.child.on('message', (message) => host.hear(message))
    host.child.once('exit', (code, signal) => host.end(signal ?? code))
    const { ports } = await host.next('ports')
    ;[host.port, host.rawPort, host.securePort, host.multiplexedPort] = ports
    return host
  }

  constructor () {
    this.waiting = new Map()
    this.heard = new Map()
    this.uncaught = []
    this.asked = 0
    this.death = null
  }

  get pid () {
    return this.child.pid
  }

  get isAlive () {
    return this.death === null
  }

  nextId () {
    return ++this.asked
  }

  hear (message) {
    if (message.uncaught) {
      this.uncaught.push(message.uncaught)
      return
    }
    const key = message.ports ? 'ports' : message.id
    const waiter = this.waiting.get(key)
    this.waiting.delete(key)
    if (waiter) waiter(message)
    else this.heard.set(key, message)
  }

  end (why) {
    const lines = this.stderr.split('\n')
    const reason = lines.find((line) => /FATAL ERROR|Fatal|panicked|memory allocation of/.test(line)) ?? lines[0]
    this.death = `${why}: ${reason.trim()}`
    for (const waiter of this.waiting.values()) waiter({ gone: this.death })
    this.waiting.clear()
  }

  /** What it tells under this id; `gone` where the process has ended, `silent` where nothing comes. */
  next (key) {
    const message = this.heard.get(key)
    this.heard.delete(key)
    if (message) return Promise.resolve(message)
    if (this.death !== null) return Promise.resolve({ gone: this.death })
    return new Promise((resolve) => {
      const patience = setTimeout(() => this.waiting.delete(key) && resolve({ silent: true }), PATIENCE_MS)
      this.waiting.set(key, (message) => {
        clearTimeout(patience)
        resolve(message)
      })
    })
  }

  async stats () {
    if (!this.isAlive) return undefined
    const id = this.nextId()
    this.child.send({ id })
    return (await this.next(id)).stats
  }

  threads (name) {
    return threadsOf(this.pid, name)
  }

  /** What it has open, and transfers that are under way. */
  async condition () {
    const stats = await this.stats()
    return { open: this.isAlive ? [...descriptors(this.pid).values()] : [], active: stats?.transfers.active }
  }

  /** Until it has no more open, and no more under way, than before; or what there is more. */
  async settled (before) {
    const end = Date.now() + SETTLE_MS
    for (;;) {
      if (!this.isAlive) return null // which is told elsewhere
      const now = await this.condition()
      if (now.open.length <= before.open.length && now.active <= before.active) return null
      if (Date.now() > end) {
        const more = [...now.open]
        for (const each of before.open) {
          const index = more.indexOf(each)
          if (index !== -1) more.splice(index, 1)
        }
        return { open: more, active: now.active - before.active }
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  stop () {
    this.child.kill('SIGKILL')
  }
}

module.exports = { Host }
