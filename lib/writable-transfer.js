'use strict'

const net = require('node:net')
const { copy } = require('./copy')
const { FileTransfer } = require('./file-transfer')
const { count } = require('./stats')

/** Piece by piece, as the destination takes them. */
class WritableTransfer extends FileTransfer {
  copying = null

  start () {
    const { destination } = this
    this.reason ??= reasonOf(destination)
    const refused = this.refusal(this.reason)
    if (refused) return this.fail(refused)
    count.fallback(this.reason)
    this.failOnClose(destination)
    this.open((err) => {
      if (!err && !this.isSettled) this.copy()
    })
  }

  copy () {
    const { destination, settings } = this
    if (destination.stream?.headRequest || destination.statusCode === 204 || destination.statusCode === 304) {
      this.length = 0 // HTTP/2: the head is all
    }
    const write = (bytes, written) => destination.write(bytes, (err) => written(err ?? null))
    this.copying = copy(this.file, this.offset, this.length, write, (err) => {
      if (err) {
        this.fail(err)
        destination.destroy?.()
        return
      }
      if (settings.endDestination) destination.end()
      this.succeed()
    })
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

function reasonOf (destination) {
  if (destination instanceof net.Socket) return 'wrapped'
  return destination.stream?.session || destination.session ? 'http2' : 'not-a-socket'
}

module.exports = { WritableTransfer }
