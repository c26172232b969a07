'use strict'

const { errorMonitor } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { answerAtOnce } = require('./answer-at-once')
const { copyPart } = require('./copy')
const { socketReason } = require('./eligibility')
const { equip } = require('./equipped-socket')
const { contentLengthMismatch, destinationClosed, responseBusy, truncated } = require('./errors')
const { FileTransfer } = require('./file-transfer')
const { guardOf } = require('./message-guard')
const { Region } = require('./region')
const { count } = require('./stats')

const { writeHead } = http.ServerResponse.prototype

/**
 * A file as the body of an http.ServerResponse or http.ClientRequest: the head is http's, the body one
 * region, and nothing else may come in between.
 */
class MessageTransfer extends FileTransfer {
  guard = null
  region = null
  /** Where `write` was replaced, or the connection is no socket. */
  copying = null
  /** Bytes that went together with the head, on the JavaScript thread. */
  sentAtOnce = 0
  /** Whether what is queued cannot be taken back. */
  isQueued = false
  /** Whether the file is shorter than the head promised. */
  isShort = false

  start () {
    const { destination: message } = this
    const guard = guardOf(message)
    if (guard.isBusy) return this.fail(responseBusy('transferFile()'))
    guard.isBusy = true
    this.guard = guard
    if (guard.isWrapped) this.reason ??= 'wrapped'

    // A response that waits for its turn on the connection has no socket of its own to tell it of the end.
    const connection = message.socket ?? message.req?.socket
    if (connection?.destroyed) return this.fail(destinationClosed())
    this.failOnClose(connection ?? message)

    const isResponse = message instanceof http.ServerResponse
    if (!isResponse && connection) this.failOnClose(message) // it can end without its socket
    if (!connection) this.listen(message, errorMonitor, (err) => this.connectionRefused(err))
    // A response may be behind others on its connection, and a request gets its socket later: what kind it is, the
    // way of the bytes depends on.
    if (!message.socket && !guard.isWrapped) this.listen(message, 'socket', () => this.begin())
    else this.begin()
  }

  /** A request that gets no connection at all has no 'close', where it was the caller's function that made none. */
  connectionRefused (err) {
    if (!this.destination.socket) this.fail(destinationClosed(err))
  }

  begin () {
    const { destination: message } = this
    if (message.socket && !message.socket.connecting) this.reason ??= socketReason(message.socket)
    const refused = this.refusal(this.reason)
    if (refused) return this.fail(refused)
    this.open((err) => {
      if (err || this.isSettled) return
      if (message.destroyed) return this.fail(destinationClosed())
      try {
        this.sendBody()
      } catch (err) { // http's own refusal, or of who replaced `end`: what is queued cannot be taken back
        this.failWith(err)
      }
    })
  }

  sendBody () {
    const { destination: message, guard, length, settings } = this
    const status = message.statusCode
    const isBodyless = message.method === 'HEAD' || message._hasBody === false || status === 204 || status === 304
    // A response that goes on after the file has a length that only the caller knows.
    const isWhole = settings.endDestination && !message.headersSent && status !== 204
    // Trailers need chunks: http refuses to send both.
    if (isWhole && !['transfer-encoding', 'trailer', 'content-length'].some((name) => message.hasHeader(name))) {
      message.setHeader('Content-Length', length)
    }
    if (isBodyless) {
      this.length = 0
      return this.finish()
    }
    // Who replaced `writeHead` may have another length in mind, and tells it only then.
    const isUsualHead = message.writeHead === undefined || message.writeHead === writeHead
    if (isWhole && !isUsualHead && !guard.isWrapped) message.writeHead(status)
    const promised = settings.endDestination ? promisedLength(message) : length
    if (length > promised) return this.fail(contentLengthMismatch(length, promised))
    this.isShort = length < promised && !message.strictContentLength // which http itself refuses to end
    if (length === 0 && !this.isShort) return this.finish()
    this.isQueued = true
    if (guard.isWrapped || !(message.socket instanceof net.Socket)) this.copyBody()
    else this.send()
  }

  send () {
    const { destination: message, file, guard, offset, length, settings } = this
    const isWhole = settings.endDestination && this.list === null && !this.isShort
    // What goes at once may be read and sent, where the kernel refuses the file: not without `fallback`.
    const isPermitted = this.reason === null && settings.fallback
    if (isWhole && isPermitted && guard.isAlone && message instanceof http.ServerResponse) {
      this.sentAtOnce = answerAtOnce(message, file, offset, length, false)
    }
    if (this.sentAtOnce === length) this.finish()
    else this.queueRegion()
  }

  queueRegion () {
    const { destination: message, settings } = this
    const region = new Region(this)
    region.file = this.file
    region.offset = this.offset + this.sentAtOnce
    region.length = this.length - this.sentAtOnce
    region.list = this.list
    region.copies = this.reason
    region.mayCopy = settings.fallback
    region.holdsTail = settings.endDestination
    this.region = region
    equip(message.socket)
    const corks = settings.endDestination ? message.writableCorked : 0
    this.guard.writeChunk(region.asChunk(region.length), (err) => { if (err) region.settle(err) })
    // Its end would take the corks out, but waits for these bytes.
    for (let n = 0; n < corks; n++) message.uncork()
  }

  regionSettled (region, err) {
    this.reason ??= region.copied
    if (err) {
      this.fail(err)
      if (!region.endsConnection) this.destination.destroy()
    } else if (this.isShort) {
      this.failWith(truncated()) // what follows would be taken for the rest of this body
    } else {
      // Not before: http's server.close() takes a response that was ended for one that is through.
      this.tryToFinish()
    }
  }

  /** Through `write`, whatever is behind it. */
  copyBody () {
    const { destination: message, guard } = this
    count.fallback(this.reason)
    // A wrapper need not call back for each write: what tells that it takes more is its 'drain'. One listener for all:
    // who hands it on to a stream of its own may not take it back from there.
    let drained = null
    this.listenOn(message, 'drain', () => {
      const next = drained
      drained = null
      next?.(null)
    })
    const writePiece = (bytes, written) => {
      if (guard.writeChunk(bytes) === false && !message.destroyed) drained = written
      else setImmediate(written, null)
    }
    this.copying = copyPart(this, writePiece, (err) => {
      if (err) this.failWith(err)
      else this.tryToFinish()
    })
  }

  /** When there is no body, or it is behind. */
  finish () {
    const { guard } = this
    this.guard = null // from now on it is the next file's
    guard.isBusy = false
    if (this.settings.endDestination) guard.end()
    this.succeed()
  }

  tryToFinish () {
    if (this.isSettled) return
    try {
      this.finish()
    } catch (err) { // http's own refusal, or of who replaced `end`
      this.failWith(err)
    }
  }

  progress () {
    return this.sentAtOnce + (this.region?.progress() ?? this.copying?.sent ?? 0)
  }

  abort (err) {
    if (!this.isQueued) return
    const { destination: message, region } = this
    if (region === null || region.begun || !message.socket) {
      message.destroy()
      return
    }
    region.endsConnection = true
    region.settle(err)
  }

  release () {
    this.copying?.stop()
    if (this.guard !== null) this.guard.isBusy = false
  }
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

module.exports = { MessageTransfer }
