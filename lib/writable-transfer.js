'use strict'

const net = require('node:net')
const { copyPart } = require('./copy')
const { writableReason } = require('./eligibility')
const { FileTransfer } = require('./file-transfer')
const { count } = require('./stats')

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
      if (err) this.failWith(err)
      else this.complete()
    }
    this.copying = copyPart(this, write, done)
  }

  progress () {
    return this.copying === null ? 0 : this.copying.sent
  }

  abort () {
    if (this.copying !== null) this.destination.destroy?.()
  }

  release () {
    this.copying?.stop()
  }
}

module.exports = { WritableTransfer }
