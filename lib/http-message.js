'use strict'

// A file as the body of an http.ServerResponse or http.ClientRequest: the head is http's, the body one
// region, and nothing else may come in between.

const http = require('node:http')
const { copy } = require('./copy')
const { isForeignRuntime, socketReason } = require('./eligibility')
const { equip } = require('./equipped-socket')
const { contentLengthMismatch, destinationClosed, responseBusy, truncated } = require('./errors')
const { Region } = require('./region')
const { count } = require('./stats')

const { write: prototypeWrite } = http.OutgoingMessage.prototype

/** The guard of each message that ever was sent a file. */
const guards = new WeakMap()

function isOutgoingMessage (destination) {
  return destination instanceof http.OutgoingMessage
}

/** While a file is sent, `write` and `end` are refused rather than reordered. */
class Guard {
  constructor (message) {
    const guard = this
    this.busy = false
    // Whoever replaced `write` has to see the bytes: compression, a recorder.
    const isOwn = message.write === prototypeWrite || message.write === guards.get(message)?.write
    this.isWrapped = isForeignRuntime || !isOwn
    /** The methods behind the guard: the prototype's own, or somebody's. */
    this.methods = {}
    for (const name of ['write', 'end']) {
      const original = message[name]
      this.methods[name] = original.bind(message)
      const value = function (...args) {
        if (guard.busy) throw responseBusy(`${name}()`)
        return original.apply(this, args)
      }
      Object.defineProperty(message, name, { value, writable: true, configurable: true })
    }
    this.write = message.write
  }
}

function guardOf (message) {
  let guard = guards.get(message)
  // Somebody may have come between since the last file.
  if (guard === undefined || guard.write !== message.write) guards.set(message, guard = new Guard(message))
  return guard
}

function sendOnMessage (transfer) {
  const { destination: message } = transfer
  const guard = guardOf(message)
  if (guard.busy) return transfer.fail(responseBusy('transferFile()'))
  guard.busy = true
  transfer.cleanups.push(() => { guard.busy = false })
  if (guard.isWrapped) transfer.reason ??= 'wrapped'

  transfer.failOnClose(message)
  // A response that waits for its turn on the connection has no socket of its own to tell it of the end.
  const connection = message.socket ?? message.req?.socket
  if (connection) {
    if (connection.destroyed) return transfer.fail(destinationClosed())
    transfer.failOnClose(connection)
  }
  whenItOwnsItsSocket(message, guard, transfer, () => {
    if (message.socket && !message.socket.connecting) transfer.reason ??= socketReason(message.socket)
    const refused = transfer.refusal(transfer.reason)
    if (refused) return transfer.fail(refused)
    transfer.open((err) => {
      if (err || transfer.isSettled) return
      if (message.destroyed) return transfer.fail(destinationClosed())
      try {
        sendBody(transfer, guard)
      } catch (err) { // http's own refusal, or of who replaced `end`: what is queued cannot be taken back
        transfer.fail(err)
        message.destroy()
      }
    })
  })
}

/** A response that is behind others on its connection waits; a request gets its socket later anyway. */
function whenItOwnsItsSocket (message, guard, transfer, then) {
  const waits = message instanceof http.ServerResponse && !message.socket && !guard.isWrapped
  if (!waits) return then()
  message.once('socket', then)
  transfer.cleanups.push(() => message.off('socket', then))
}

function sendBody (transfer, guard) {
  const { destination: message, length, settings } = transfer
  const { write, end } = guard.methods
  const finish = () => {
    guard.busy = false
    if (settings.endDestination) end()
    transfer.succeed()
  }
  const status = message.statusCode
  const hasBody = message.method === 'HEAD' ? false : message._hasBody !== false && status !== 204 && status !== 304
  // A response that goes on after the file has a length that only the caller knows.
  const isWhole = settings.endDestination && !message.headersSent && status !== 204
  if (isWhole && !message.hasHeader('transfer-encoding') && !message.hasHeader('content-length')) {
    message.setHeader('Content-Length', length)
  }
  if (!hasBody) {
    transfer.length = 0
    return finish()
  }
  const promised = settings.endDestination ? promisedLength(message) : length
  if (length > promised && !message.strictContentLength) return transfer.fail(contentLengthMismatch(length, promised))
  const isShort = length < promised && !message.strictContentLength
  if (length === 0 && !isShort) return finish()
  transfer.onAbort = () => message.destroy()
  if (transfer.reason !== null && guard.isWrapped) return copyBody(transfer, write, finish)

  const region = new Region({
    resource: transfer.resource,
    refusal: (reason) => transfer.refusal(reason),
    settled: (err) => {
      transfer.reason ??= region.copied
      if (err) {
        transfer.fail(err)
        if (!region.endsConnection) message.destroy()
        return
      }
      guard.busy = false
      if (isShort) {
        // What follows would be taken for the rest of this body.
        transfer.fail(truncated())
        message.destroy()
        return
      }
      transfer.succeed()
    }
  })
  region.file = transfer.file
  region.offset = transfer.offset
  region.length = length
  region.copies = transfer.reason
  region.mayCopy = settings.fallback
  region.holdsTail = settings.endDestination
  transfer.progress = () => region.progress()

  if (message.socket) equip(message.socket)
  else message.once('socket', equip)
  write(region.asChunk(length), (err) => { if (err) region.settle(err) })
  transfer.onAbort = (err) => {
    if (region.begun || !message.socket) {
      message.destroy()
      return
    }
    region.endsConnection = true
    region.settle(err)
  }
  // At once, so that the head, the body and the end are one batch of the socket's queue.
  if (settings.endDestination && !isShort) end()
}

/** What the head promises, when no body was written yet: otherwise nobody counted. */
function promisedLength (message) {
  if (message.chunkedEncoding || message.hasHeader('transfer-encoding')) return undefined
  if (!message.headersSent) return toLength(message.getHeader('content-length'))
  return message._headerSent ? undefined : toLength(/^content-length: *(\d+)\r$/im.exec(message._header)?.[1])
}

function toLength (value) {
  return value === undefined ? undefined : Number(value)
}

/** Through whatever replaced `write`. */
function copyBody (transfer, write, finish) {
  const { destination: message, file, offset, length } = transfer
  count.fallback(transfer.reason)
  let copying = null
  transfer.cleanups.push(() => copying?.stop())
  transfer.progress = () => copying?.sent ?? 0
  const writePiece = (bytes, written) => {
    // A wrapper need not call back for each write: what tells that it takes more is its 'drain'.
    if (write(bytes) === false && !message.destroyed) message.once('drain', () => written(null))
    else setImmediate(written, null)
  }
  const fail = (err) => {
    transfer.fail(err)
    message.destroy()
  }
  copying = copy(file, offset, length, writePiece, (err) => {
    if (err) return fail(err)
    try {
      finish()
    } catch (err) { // of who replaced `end`
      fail(err)
    }
  })
}

module.exports = { isOutgoingMessage, sendOnMessage }
