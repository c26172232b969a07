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
  id
  resource
  holdsLoop = false
  /** The life of the socket that it waits for, if it does. */
  life = null

  /** @param {AsyncResource} resource the context that `answered(result)` runs in */
  constructor (resource) {
    this.id = nextId++
    this.resource = resource
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
    environment.closeFile(id)
    return
  }
  request.end()
  request.resource.runInAsyncScope(request.answered, request, result)
}

/** One that a function answers. */
class Call extends Request {
  answered

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
 * Opens a regular file: a path, as bytes with a NUL behind them, or a descriptor, which is duplicated at once. `answer`
 * gets its number, to be closed, or a negative errno and the call that failed, later, in the context of `resource`.
 */
function submitOpen (source, resource, answer) {
  const request = openingCall(resource, answer)
  const refusal = typeof source === 'number'
    ? environment.adopt(request.id, source)
    : environment.open(request.id, source)
  beginOpening(request, refusal, answer)
}

/** The same of a name below a root, both as the addon has them. */
function submitOpenBeneath (root, name, resource, answer) {
  const request = openingCall(resource, answer)
  beginOpening(request, environment.openBeneath(request.id, root, name), answer)
}

function openingCall (resource, answer) {
  return new Call(resource, function (result) {
    if (result < 0) answer(result, 'open')
    else answer(this.id)
  })
}

function beginOpening (request, refusal, answer) {
  if (refusal) {
    const { resource } = request
    process.nextTick(() => resource.runInAsyncScope(answer, undefined, refusal.errno, refusal.syscall))
  } else {
    request.beginAndHold()
  }
}

/** What `openAtOnce` says of a file: its descriptor, bytes, and modification in milliseconds since 1970. */
const opened = new Float64Array(3)

/**
 * The same of a path, or of a name below a root, at once: `opened` tells of it.
 * @returns {number} the file, as of `submitOpen`; a negative errno: -EAGAIN where it would have to wait
 */
function openAtOnce (root, name) {
  const id = nextId++
  const result = root === null
    ? environment.openAtOnce(id, name, opened)
    : environment.openBeneathAtOnce(id, root, name, opened)
  return result < 0 ? result : id
}

/**
 * Duplicates a descriptor of a regular file, and tells of it at once, where that cannot wait.
 * @returns {{ id: number, fd: number, size: number } | null} a file, as of `submitOpen`
 */
function adoptAtOnce (fd) {
  const id = nextId++
  const status = environment.adoptAtOnce(id, fd)
  return status === null ? null : { id, ...status }
}

/** Whether a file is another than when it was opened: `answer(changed)`, now or later. */
function submitRecheck (file, resource, answer) {
  const request = new Call(resource, (result) => answer(result !== 0))
  const changed = environment.hasChanged(request.id, file)
  if (changed === null) request.beginAndHold()
  else answer(changed)
}

let isTurnAwaited = false

/** Before something is sent at once: what leaves on this thread is limited by turns of its loop. */
function awaitTurn () {
  if (isTurnAwaited) return
  isTurnAwaited = true
  setImmediate(() => {
    isTurnAwaited = false
    environment.turn()
  })
}

/** Sends a head and a piece of a file, as far as that goes at once: bytes of both. `closes`: the file, if all went. */
function answer (fd, head, headLength, file, offset, length, closes) {
  awaitTurn()
  return environment.answer(fd, head, headLength, file, offset, length, closes)
}

/** The engine hands it back: its last bytes, or all of it where there is no descriptor for the engine. */
const TURN = 1

/** A gather list that the engine sends. */
class Sending extends Request {
  fd
  batch
  region
  isOutgoing = false

  /**
   * @param {Batch} batch told by `sent(sending, err, bytes)` when it is at its end, unless it was cancelled
   * @param {Region | null} region the one in it
   */
  constructor (fd, resource, batch, region) {
    super(resource)
    this.fd = fd
    this.batch = batch
    this.region = region
  }

  /** @returns {number} bytes in the kernel */
  get sent () {
    return this.isOutgoing ? environment.sent(this.id) : 0
  }

  /**
   * @param {Uint8Array | null} before
   * @param {Uint8Array | null} after
   * @returns {boolean} whether it is under way; if not, `batch.sent` was called
   */
  submit (before, after) {
    awaitTurn()
    const { region } = this
    if (region?.list) return this.submitList(before, region, after)
    const file = region === null || region.length === 0 ? null : region.file.id
    return this.proceed(file === null
      ? environment.transfer(this.id, this.fd, before, null, 0, 0, after, false, true)
      : environment.transfer(this.id, this.fd, before, file, region.offset, region.length, after,
          region.holdsTail, region.mayCopy))
  }

  submitList (before, { file, holdsTail, list, mayCopy }, after) {
    const heads = Buffer.concat(list.parts.map(({ before }) => before))
    const layout = list.parts.flatMap(({ before, offset, length }) => [before.length, offset, length])
    const end = after === null ? list.after : Buffer.concat([list.after, after])
    return this.proceed(
      environment.transferList(this.id, this.fd, before, file.id, heads, Float64Array.from(layout), end, holdsTail,
        mayCopy))
  }

  proceed (outcome) {
    this.isOutgoing = outcome === null || outcome < 0 || this.isOutgoing
    if (outcome === null) this.begin()
    else this.finish(outcome < 0 ? failureOf(outcome) : null, outcome)
    return outcome === null
  }

  answered (result) {
    if (result !== TURN) {
      this.finish(result < 0 ? failureOf(result) : null)
      return
    }
    // In the same tick as its end: for the peer the last byte is the end, and so it must be for Node.
    awaitTurn()
    if (this.proceed(environment.finish(this.id, this.fd))) this.batch.hold(this)
  }

  finish (err, sent) {
    const bytes = this.isOutgoing ? environment.forget(this.id) : sent
    this.isOutgoing = false
    this.batch.sent(this, err, bytes)
  }

  /** @returns {number} bytes in the kernel */
  cancel () {
    this.end()
    this.isOutgoing = false
    return environment.cancel(this.id)
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

module.exports = {
  Sending,
  adoptAtOnce,
  answer,
  environment,
  openAtOnce,
  opened,
  submitOpen,
  submitOpenBeneath,
  submitRecheck,
  submitSendfile,
  submitWatch
}
