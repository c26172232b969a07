'use strict'

// What this environment (main thread or worker) has asked of the native threads. Each request is a
// number; its answer comes to `deliver`, with the ticks and microtasks of one run before the next.

const { AsyncResource } = require('node:async_hooks')
const { addon } = require('./binding')
const { refused, truncated } = require('./errors')

// Made when the package loads, outside any request: what creates it is kept alive by it.
const environment = addon && new addon.Environment(deliver)

const pending = new Map()
let nextId = 0
let holders = 0

class Request {
  /**
   * @param {AsyncResource} resource the context that `answer` runs in
   * @param {(result: number) => void} answer
   */
  constructor (resource, answer) {
    this.id = nextId++
    this.resource = resource
    this.answer = answer
    this.holdsLoop = false
    this.onEnd = undefined
  }

  begin () {
    pending.set(this.id, this)
  }

  end () {
    pending.delete(this.id)
    this.holdLoop(false)
    this.onEnd?.()
  }

  /** Whether the process waits for it. */
  holdLoop (hold) {
    if (hold === this.holdsLoop) return
    this.holdsLoop = hold
    holders += hold ? 1 : -1
    if (holders === (hold ? 1 : 0)) environment.keepAlive(hold)
  }
}

function deliver (id, result) {
  const request = pending.get(id)
  if (request === undefined) { // cancelled while its answer was on the way
    environment.takeFile(id)?.close()
    return
  }
  request.end()
  request.resource.runInAsyncScope(request.answer, undefined, result)
}

/**
 * One sendfile(2) on another thread. `answer(result, syscall)` gets bytes or a negative errno, later.
 */
function submitSendfile (out, input, offset, len, answer) {
  const request = new Request(new AsyncResource('SENDFILE'), answer)
  const refusal = environment.sendfile(request.id, out, input, offset, len)
  if (refusal) {
    process.nextTick(answer, refusal.errno, refusal.syscall)
    return
  }
  request.begin()
  request.holdLoop(true)
}

/**
 * Opens a regular file: a path, as bytes, or a descriptor, which is duplicated at once. `answer` gets the
 * addon's File, or a negative errno and the call that failed, later, in the context of `resource`.
 */
function submitOpen (source, resource, answer) {
  const request = new Request(resource, (result) => {
    if (result < 0) answer(null, result, 'open')
    else answer(environment.takeFile(request.id))
  })
  const refusal = typeof source === 'number'
    ? environment.adopt(request.id, source)
    : environment.open(request.id, source)
  if (refusal) {
    process.nextTick(() => resource.runInAsyncScope(answer, undefined, null, refusal.errno, refusal.syscall))
    return
  }
  request.begin()
  request.holdLoop(true)
}

/** Whether a file is another than when it was opened: `answer(changed)`, now or later. */
function submitRecheck (file, resource, answer) {
  const request = new Request(resource, (result) => answer(result !== 0))
  const changed = environment.hasChanged(request.id, file)
  if (changed !== null) {
    answer(changed)
    return
  }
  request.begin()
  request.holdLoop(true)
}

/** The engine hands it back: its last bytes, or all of it where there is no descriptor for the engine. */
const TURN = 1

/** A gather list that the engine sends. */
class Sending extends Request {
  constructor (fd, resource, done) {
    super(resource, (result) => this.answered(result))
    this.fd = fd
    this.done = done
    this.outgoing = null
  }

  /** @returns {number} bytes in the kernel */
  get sent () {
    return this.outgoing === null ? 0 : this.outgoing.sent
  }

  /**
   * @param {Array<Uint8Array | { file: object, offset: number, len: number }>} parts
   * @returns {boolean} whether it is under way; if not, `done` was called
   */
  submit (parts, holdsTail, mayCopy) {
    return this.proceed(environment.transfer(this.id, this.fd, parts, holdsTail, mayCopy))
  }

  proceed (outgoing) {
    if (typeof outgoing === 'number') {
      this.done(null, outgoing)
      return false
    }
    this.outgoing = outgoing
    if (outgoing.failure !== 0) {
      this.done(failureOf(outgoing.failure), outgoing.sent)
      return false
    }
    this.begin()
    return true
  }

  answered (result) {
    if (result === TURN) {
      // In the same tick as its end: for the peer the last byte is the end, and so it must be for Node.
      if (this.proceed(environment.finish(this.id, this.fd, this.outgoing))) this.onPending?.()
      return
    }
    this.done(result < 0 ? failureOf(result) : null, this.outgoing.sent)
  }

  cancel () {
    this.end()
    this.outgoing.cancel()
  }
}

// As in src/engine.rs; the first stands for a file that ended too soon.
const FAILED_CALLS = ['', 'sendfile', 'write', 'read', 'dup', 'epoll_create', 'epoll_ctl', 'pthread_create']
const FAILURE_KIND = 10_000

/** @param {number} failure as the engine tells it: one more than the errno, and which call it was */
function failureOf (failure) {
  const syscall = FAILED_CALLS[Math.floor(-failure / FAILURE_KIND)]
  return syscall === '' ? truncated() : refused(1 - (-failure % FAILURE_KIND), syscall)
}

class WatchRequest extends Request {
  cancel () {
    this.end()
    environment.unwatch(this.token)
  }
}

/**
 * Calls `answer` in the context of `resource`, once, when the descriptor is writable. It does not hold
 * the loop by itself.
 * @throws {SystemError}
 */
function submitWatch (fd, resource, answer) {
  const request = new WatchRequest(resource, answer)
  const token = environment.watch(request.id, fd)
  if (typeof token !== 'number') throw refused(token.errno, token.syscall)
  request.token = token
  request.begin()
  return request
}

module.exports = { Sending, submitOpen, submitRecheck, submitSendfile, submitWatch }
