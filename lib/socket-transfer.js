'use strict'

const { socketReason } = require('./eligibility')
const { equip } = require('./equipped-socket')
const { destinationClosed } = require('./errors')
const { FileTransfer } = require('./file-transfer')
const { Region } = require('./region')

/** One chunk in a socket's queue, a placeholder, for a file that is opened when its turn comes. */
class SocketTransfer extends FileTransfer {
  region = null

  start () {
    const { destination: socket } = this
    if (!socket.connecting) this.reason ??= socketReason(socket)
    const refused = this.refusal(this.reason)
    if (refused) return this.fail(refused)
    const region = new Region(this)
    region.copies = this.reason
    region.mayCopy = this.settings.fallback
    this.region = region
    this.failOnClose(socket)
    equip(socket)
    socket.write(region.asChunk(1), (err) => { if (err) region.settle(err) })
  }

  progress () {
    return this.region === null ? 0 : this.region.progress()
  }

  abort (err) {
    if (this.region === null) return
    if (this.region.begun) this.destination.destroy()
    else this.region.settle(err)
  }

  regionTurn (region, ready) {
    this.open((err) => {
      if (err || this.isSettled) {
        region.settle(err ?? destinationClosed())
      } else {
        region.file = this.file
        region.offset = this.offset
        region.length = this.length
      }
      ready()
    })
  }

  regionSettled (region, err) {
    this.reason ??= region.copied
    if (err) this.fail(err)
    else this.complete()
  }
}

module.exports = { SocketTransfer }
