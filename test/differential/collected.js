'use strict'

// The bytes that somebody got, in order.

const trueLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length').get

class Collected {
  /** @param {{ bytes: (collected: Collected) => void, lied: () => void }} run */
  constructor (run) {
    this.run = run
    this.chunks = []
    this.count = 0
  }

  take (chunk) {
    if (typeof chunk === 'string') chunk = Buffer.from(chunk)
    check(this.run, chunk)
    this.chunks.push(chunk)
    this.count += chunk.length
    this.run.bytes(this)
  }

  get bytes () {
    return Buffer.concat(this.chunks)
  }
}

/** Nobody may ever see a chunk that claims to have more bytes than it has. */
function check (run, chunk) {
  if (typeof chunk === 'string' || chunk === null || chunk === undefined) return
  const length = trueLength.call(chunk)
  if (chunk.length !== length || chunk.byteLength !== length) run.lied(`a chunk of ${length} bytes says ${chunk.length}`)
}

module.exports = { Collected, check }
