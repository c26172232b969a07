'use strict'

// One session of the client: a connection that asks for what the plan says, reads as the plan says, checks
// every byte that comes, and perhaps leaves early.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { contents, writeContents } = require('./contents')
const { HttpConversation } = require('./http-conversation')
const { RawConversation } = require('./raw-conversation')

/** Nothing for so long while the client reads: something hangs, however busy the machine is. */
const PATIENCE_MS = 30_000

/**
 * @param {object} plan
 * @param {object} world `folder`, `places` of the server, `counted(kind)`, `verified(bytes)`
 */
async function runSession (plan, world) {
  const { folder } = world
  for (const { name, size } of plan.ownFiles) await writeContents(path.join(folder, name), name, size)
  try {
    await new Session(plan, world).done
  } finally {
    for (const { name } of plan.ownFiles) fs.rmSync(path.join(folder, name), { force: true })
  }
}

class Session {
  constructor (plan, world) {
    this.plan = plan
    this.world = world
    this.received = 0
    this.pauses = [...plan.pauses]
    this.hasLeft = false
    this.error = null
    this.timers = []
    const Conversation = plan.kind === 'http' ? HttpConversation : RawConversation
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.conversation = new Conversation(plan, {
      send: (text) => this.socket.write(text),
      change: (step) => this.change(step),
      counted: (kind) => world.counted(kind)
    })
    this.connect(world.places[plan.kind][plan.unix ? 1 : 0])
  }

  connect (place) {
    const { plan } = this
    const options = { ...place, allowHalfOpen: false }
    const take = (bytes) => this.take(bytes)
    if (plan.read > 0) {
      options.onread = {
        buffer: Buffer.alloc(plan.read),
        callback: (count, buffer) => {
          take(buffer.subarray(0, count))
          return true
        }
      }
    }
    this.socket = net.connect(options)
    if (plan.read === 0) this.socket.on('data', take)
    this.socket.on('error', (err) => { this.error = err })
    this.socket.on('connect', () => this.begin())
    this.socket.on('close', () => this.closed())
    this.patience = setTimeout(() => this.fail('nothing came any more'), PATIENCE_MS)
    this.timers.push(this.patience)
  }

  begin () {
    const { plan } = this
    this.conversation.begin()
    // Says that it has nothing more to say: it still wants its answers.
    if (plan.ending === 'half' && plan.pipelined) this.socket.end()
    if (plan.leave?.ms !== undefined) this.timers.push(setTimeout(() => this.leave(plan.leave.how), plan.leave.ms))
    this.look()
  }

  take (bytes) {
    if (this.hasLeft) return
    this.patience.refresh()
    this.received += bytes.length
    this.world.verified(bytes.length)
    try {
      this.conversation.take(bytes)
    } catch (err) {
      this.fail(err.message)
      return
    }
    this.look()
  }

  /** Whether something is due here: a pause, leaving, the end. */
  look () {
    const { plan, socket } = this
    if (plan.leave?.at <= this.received) return this.leave(plan.leave.how)
    if (this.pauses[0]?.at <= this.received) {
      const { ms } = this.pauses.shift()
      while (this.pauses[0]?.at <= this.received) this.pauses.shift()
      socket.pause()
      this.timers.push(setTimeout(() => socket.resume(), ms))
    }
    if (!this.conversation.isComplete) return
    // What may still come would be too much, and is looked at.
    if (plan.ending === 'end' || plan.ending === 'half') socket.end()
    else if (plan.ending === 'destroy' || plan.ending === 'reset') this.leave(plan.ending)
  }

  leave (how) {
    if (this.hasLeft) return
    this.hasLeft = true
    if (!this.conversation.isComplete) this.world.counted(`left: ${how}`)
    // Not every socket can be reset: a unix socket, or one that is ending, which Node would leave open.
    if (how === 'reset' && !this.plan.unix && !this.socket.writableEnded) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  /** The file that is coming changes now. */
  change ({ name, change: { how, to } }) {
    const file = path.join(this.world.folder, name)
    const { size } = fs.statSync(file)
    this.world.counted(`changed: ${how}`)
    if (how === 'unlink') {
      fs.unlinkSync(file)
    } else if (how === 'replace') {
      fs.writeFileSync(`${file}.new`, contents(`another ${name}`, 0, 100_000))
      fs.renameSync(`${file}.new`, file)
    } else if (how === 'grow') {
      fs.appendFileSync(file, contents(`more of ${name}`, 0, to - size))
    } else {
      fs.truncateSync(file, to)
    }
  }

  closed () {
    const { plan } = this
    for (const timer of this.timers) clearTimeout(timer)
    // A connection that is destroyed with requests unread is reset by the kernel, and what was on its way is lost.
    // The reset may come without an error: whoever asks the socket first takes the error away.
    const isReset = ['ECONNRESET', 'EPIPE', undefined].includes(this.error?.code) && plan.pipelined &&
      this.conversation.mayBeReset
    if (this.hasLeft || isReset || this.conversation.mayEnd) this.resolve()
    else this.fail('the connection was closed')
  }

  fail (message) {
    this.hasLeft = true
    const error = this.error ? ` (${this.error.code})` : ''
    this.reject(new Error(`${message}${error}, after ${this.received} bytes, in ${this.conversation}`))
    this.socket.destroy()
  }
}

module.exports = { runSession }
