'use strict'

// While a file is sent to an http message, its `write` and `end` are refused rather than reordered.

const http = require('node:http')
const { isForeignRuntime } = require('./eligibility')
const { responseBusy } = require('./errors')

const { write: usualWrite, end: usualEnd } = http.OutgoingMessage.prototype
const USUAL = { write: usualWrite, end: usualEnd }
const kGuard = Symbol('sendfile-native.guard')

class Guard {
  constructor (message) {
    const { write, end } = message
    this.message = message
    this.isBusy = false
    // Whoever replaced `write` has to see the bytes: compression, a recorder.
    this.isWrapped = isForeignRuntime || (write !== usualWrite && write !== guardedWrite)
    /** What stands behind the guard: the prototype's own methods, or somebody's. */
    this.original = write === usualWrite && end === usualEnd ? USUAL : { write, end }
    /** What the guard put there. */
    this.write = null
  }

  /** Stands before the methods that the message has now. */
  install () {
    const { message } = this
    if (message[kGuard] === undefined) {
      message[kGuard] = this
      message.write = guardedWrite
      message.end = guardedEnd
    } else {
      // Somebody came between since the last file: theirs calls the first guard, which is not busy then.
      const guard = this
      message.write = function (...args) { return guard.call('write', this, args) }
      message.end = function (...args) { return guard.call('end', this, args) }
    }
    this.write = message.write
  }

  call (method, message, args) {
    if (this.isBusy) throw responseBusy(`${method}()`)
    return this.original[method].apply(message, args)
  }

  /** For who sends the file. */
  writeChunk (chunk, written) {
    return this.original.write.call(this.message, chunk, written)
  }

  end () {
    this.original.end.call(this.message)
  }
}

function guardedWrite (...args) {
  return this[kGuard].call('write', this, args)
}

function guardedEnd (...args) {
  return this[kGuard].call('end', this, args)
}

/** The guard that stands before everything else of each message that was sent a file. */
const outermost = new WeakMap()

/** @returns {Guard} */
function guardOf (message) {
  let guard = outermost.get(message)
  if (guard === undefined || guard.write !== message.write) {
    guard = new Guard(message)
    guard.install()
    outermost.set(message, guard)
  }
  return guard
}

module.exports = { guardOf }
