'use strict'

// While a file is sent to an http message, its `write` and `end` are refused rather than reordered.

const http = require('node:http')
const { isForeignRuntime } = require('./eligibility')
const { responseBusy } = require('./errors')

const { write: usualWrite, end: usualEnd } = http.OutgoingMessage.prototype
const USUAL = { write: usualWrite, end: usualEnd }
/** The guard that a message was given first. */
const kGuard = Symbol('sendfile-native.guard')
/** The one that stands before everything else. A WeakMap of messages would cost each collection of garbage dear. */
const kOutermost = Symbol('sendfile-native.outermost-guard')

/** Whether nobody replaced a message's `write` or `end`. */
function isUsual (message) {
  return message.write === usualWrite && message.end === usualEnd
}

class Guard {
  message
  isWrapped
  original
  isBusy = false
  /** What the guard put there. */
  put = null

  /** @param {Guard | undefined} former the one that was put there last */
  constructor (message, former) {
    const { write, end } = message
    this.message = message
    // Whoever replaced `write` has to see the bytes: compression, a recorder.
    const isFormers = former !== undefined && write === former.put.write
    this.isWrapped = isForeignRuntime || (isFormers ? former.isWrapped : write !== usualWrite && write !== guardedWrite)
    /** What stands behind the guard: the prototype's own methods, or somebody's. */
    this.original = isUsual(message) ? USUAL : { write, end }
  }

  /** Whether what it stands before are the prototype's own methods, and nobody came between. */
  get isAlone () {
    return this.original === USUAL && this.isOutermost
  }

  get isOutermost () {
    return this.message.write === this.put.write && this.message.end === this.put.end
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
    this.put = { write: message.write, end: message.end }
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

/** @returns {Guard} */
function guardOf (message) {
  const former = message[kOutermost]
  // One that is busy answers for whoever came between meanwhile.
  if (former !== undefined && (former.isBusy || former.isOutermost)) return former
  const guard = new Guard(message, former)
  guard.install()
  message[kOutermost] = guard
  return guard
}

module.exports = { guardOf, isUsual }
