'use strict'

// What goes on on a raw connection: lines there, the bytes they ask for back.

const { Expected } = require('./model')

class RawConversation {
  constructor (plan, { send, change, counted }) {
    this.plan = plan
    this.send = send
    this.change = change
    this.counted = counted
    this.sent = 0
    const steps = plan.lines.flatMap((line) => line.steps)
    this.steps = steps
    this.parts = steps.map((step) => ({
      ...step,
      optional: step.abort !== undefined,
      mayCut: step.abort !== undefined
    }))
    this.expected = new Expected(this.parts)
    this.changing = steps.findIndex((step) => step.change)
  }

  begin () {
    this.next()
  }

  next () {
    const { lines, pipelined } = this.plan
    const before = () => lines.slice(0, this.sent).reduce((sum, line) => sum + line.steps.length, 0)
    while (this.sent < lines.length && (pipelined || this.expected.hasPassed(before()))) {
      this.send(`${JSON.stringify(lines[this.sent++])}\n`)
    }
  }

  take (bytes) {
    this.expected.take(bytes)
    const step = this.steps[this.changing]
    if (step && this.expected.progressOf(this.changing) >= step.change.at) {
      this.changing = -1
      truncate(this.parts[this.steps.indexOf(step)], step.change)
      this.change(step)
    }
    this.next()
    if (this.expected.isComplete && !this.isCounted) {
      this.isCounted = true
      for (const { name } of this.steps) this.counted(name ? 'raw: file' : 'raw: bytes')
    }
  }

  get isComplete () {
    return this.expected.isComplete
  }

  get mayEnd () {
    return this.expected.mayEnd
  }

  get mayBeReset () {
    return this.steps.some((step) => step.abort !== undefined)
  }

  toString () {
    return `${this.expected}`
  }
}

/** From now on the part may come up short. */
function truncate (part, { how, to }) {
  if (how === 'truncate') Object.assign(part, { truncatedTo: to, mayCut: true })
}

module.exports = { RawConversation, truncate }
