'use strict'

const net = require('node:net')
const { copyPart } = require('./copy')
const { writableReason } = require('./eligibility')
const { destinationClosed } = require('./errors')
const { FileTransfer } = require('./file-transfer')
const { count } = require('./stats')

/** INTERNAL_ERROR of RFC 9113, section 7. */
const HTTP2_INTERNAL_ERROR = 2

/** What a stream says of bytes that come after it was destroyed, which may be before its 'close', or ended. */
const CLOSED = new Set(['ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'ERR_SOCKET_CLOSED'])

/** Piece by piece, as the destination takes them. */
class WritableTransfer extends FileTransfer {
  copying = null

  start () {
    const { destination } = this
    this.reason ??= destination instanceof net.Socket ? 'wrapped' : writableReason(destination)
    const refused = this.refusal(this.reason)
    if (refused) return this.fail(refused)
    count.fallback(this.reason)
    this.failOnClose(destination)
    this.open((err) => {
      if (!err && !this.isSettled) this.copy()
    })
  }

  copy () {
    const { destination } = this
    if (destination.stream?.headRequest || destination.statusCode === 204 || destination.statusCode === 304) {
      this.length = 0 // HTTP/2: the head is all
    }
    const write = (bytes, written) => destination.write(bytes, (err) => written(err ?? null))
    const done = (err) => {
      if (err) this.failWith(CLOSED.has(err.code) ? destinationClosed(err) : err)
      else this.complete()
    }
    this.copying = copyPart(this, write, done)
  }

  progress () {
    return this.copying === null ? 0 : this.copying.sent
  }

  abort () {
    if (this.copying !== null) this.destroyDestination()
  }

  destroyDestination () {
    const { destination } = this
    const stream = destination.stream ?? destination
    if (stream.session && !stream.destroyed) {
      // Destroyed alone, it is reset without an error, which clients take for the end of the file.
      stream.once('error', () => {}) // as of any connection that a file ended: the call tells
      stream.close(HTTP2_INTERNAL_ERROR)
    } else {
      destination.destroy?.()
    }
  }

  release () {
    this.copying?.stop()
  }
}

module.exports = { WritableTransfer }
