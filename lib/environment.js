'use strict'

// What this environment (main thread or worker) has asked of the native threads. Each request is a
// number; its answer comes to `deliver`, with the ticks and microtasks of one run before the next.

const { AsyncResource } = require('node:async_hooks')
const { addon } = require('./binding')
const { systemError } = require('./errors')

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
  }

  begin () {
    pending.set(this.id, this)
  }

  end () {
    pending.delete(this.id)
    this.holdLoop(false)
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
  if (request === undefined) return // cancelled while its answer was on the way
  request.end()
  request.resource.runInAsyncScope(request.answer, undefined, result)
}

/**
 * One sendfile(2) on another thread. `answer(result, syscall)` gets bytes or a negative errno, later.
 */
function submitSendfile (out, input, offset, len, answer) {
  const request = new Request(new AsyncResource('SENDFILE'), answer)
  const refused = environment.sendfile(request.id, out, input, offset, len)
  if (refused) {
    process.nextTick(answer, refused.errno, refused.syscall)
    return
  }
  request.begin()
  request.holdLoop(true)
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
  if (typeof token !== 'number') throw systemError(token.errno, token.syscall)
  request.token = token
  request.begin()
  return request
}

module.exports = { submitSendfile, submitWatch }
