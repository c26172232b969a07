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
  /** @param {AsyncResource} resource the context that `answered(result)` runs in */
  constructor (resource) {
    this.id = nextId++
    this.resource = resource
    this.holdsLoop = false
    /** The life of the socket that it waits for, if it does. */
    this.life = null
  }

  begin () {
    pending.set(this.id, this)
  }

  end () {
    pending.delete(this.id)
    this.holdLoop(false)
    this.life?.release(this)
    this.life = null
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
  request.resource.runInAsyncScope(request.answered, request, result)
}

/** One that a function answers. */
class Call extends Request {
  constructor (resource, answer) {
    super(resource)
    this.answered = answer
  }

  beginAndHold () {
    this.begin()
    this.holdLoop(true)
  }
}

/**
 * One sendfile(2) on another thread. `answer(result, syscall)` gets bytes or a negative errno, later.
 */
function submitSendfile (out, input, offset, len, answer) {
  const request = new Call(new AsyncResource('SENDFILE'), answer)
  const refusal = environment.sendfile(request.id, out, input, offset, len)
  if (refusal) process.nextTick(answer, refusal.errno, refusal.syscall)
  else request.beginAndHold()
}

/**
 * Opens a regular file: a path, as bytes, or a descriptor, which is duplicated at once. `answer` gets the
 * addon's File, or a negative errno and the call that failed, later, in the context of `resource`.
 */
function submitOpen (source, resource, answer) {
  const request = new Call(resource, (result) => {
    if (result < 0) answer(null, result, 'open')
    else answer(environment.takeFile(request.id))
  })
  const refusal = typeof source === 'number'
    ? environment.adopt(request.id, source)
    : environment.open(request.id, source)
  if (refusal) {
    process.nextTick(() => resource.runInAsyncScope(answer, undefined, null, refusal.errno, refusal.syscall))
  } else {
    request.beginAndHold()
  }
}

/** Whether a file is another than when it was opened: `answer(changed)`, now or later. */
function submitRecheck (file, resource, answer) {
  const request = new Call(resource, (result) => answer(result !== 0))
  const changed = environment.hasChanged(request.id, file)
  if (changed === null) request.beginAndHold()
  else answer(changed)
}

/** The engine hands it back: its last bytes, or all of it where there is no descriptor for the engine. */
const TURN = 1

/** A gather list that the engine sends. */
class Sending extends Request {
  /**
   * @param {Batch} batch told by `sent(sending, err, bytes)` when it is at its end, unless it was cancelled
   * @param {Region | null} region the one in it
   */
  constructor (fd, resource, batch, region) {
    super(resource)
    this.fd = fd
    this.batch = batch
    this.region = region
    this.outgoing = null
  }

  /** @returns {number} bytes in the kernel */
  get sent () {
    return this.outgoing === null ? 0 : this.outgoing.sent
  }

  /**
   * @param {Array<Uint8Array | { file: object, offset: number, len: number }>} parts
   * @returns {boolean} whether it is under way; if not, `batch.sent` was called
   */
  submit (parts, holdsTail, mayCopy) {
    return this.proceed(environment.transfer(this.id, this.fd, parts, holdsTail, mayCopy))
  }

  proceed (outgoing) {
    if (typeof outgoing === 'number') {
      this.batch.sent(this, null, outgoing)
      return false
    }
    this.outgoing = outgoing
    if (outgoing.failure !== 0) {
      this.batch.sent(this, failureOf(outgoing.failure), outgoing.sent)
      return false
    }
    this.begin()
    return true
  }

  answered (result) {
    if (result === TURN) {
      // In the same tick as its end: for the peer the last byte is the end, and so it must be for Node.
      if (this.proceed(environment.finish(this.id, this.fd, this.outgoing))) this.batch.hold(this)
      return
    }
    this.batch.sent(this, result < 0 ? failureOf(result) : null, this.outgoing.sent)
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

class WatchRequest extends Call {
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
