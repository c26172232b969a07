'use strict'

// A net.Socket whose write queue may hold regions. Equipped once, and left so.

const { Batch } = require('./batch')
const { destinationClosed } = require('./errors')
const { lifeOf } = require('./socket-life')
const { equipmentOf, ordinaryBytesWritten, putWriteMethods } = require('./write-methods')

/**
 * Makes `socket` take regions.
 * @returns {Equipment}
 */
function equip (socket) {
  return equipmentOf(socket) ?? new Equipment(socket).install()
}

class Equipment {
  socket
  /** The batch that is being written. */
  batch = null
  /** Bytes of batches that net.Socket does not know of. */
  bytesSent = 0
  /** What the peer had taken when the time-out last looked. */
  taken = 0
  /** The methods that ordinary chunks go to. */
  behind = null

  constructor (socket) {
    this.socket = socket
  }

  install () {
    const { socket } = this
    this.behind = putWriteMethods(socket, this)
    lifeOf(socket).join(this)
    // A timer that runs already has the old `_onTimeout`.
    if (socket.timeout) socket.setTimeout(socket.timeout)
    return this
  }

  /** Bytes that net.Socket does not know of. */
  get sent () {
    return this.bytesSent + (this.batch?.bytesSending ?? 0)
  }

  write (entries, callback) {
    const { socket } = this
    if (socket.connecting) {
      // As net.Socket waits.
      const closed = () => callback(destinationClosed())
      socket.once('connect', () => {
        socket.off('close', closed)
        this.write(entries, callback)
      })
      socket.once('close', closed)
      return
    }
    this.batch = new Batch(this, entries, callback)
    this.batch.begin()
  }

  /** Nobody else may go on writing to it, and the peer learns it at once. */
  socketDestroyed (err) {
    const { batch, socket } = this
    if (batch === null) return
    batch.cancel(socket.resetAndClosing === true)
    batch.finish(err ?? destinationClosed())
  }

  /** Whether bytes have left for the peer since it was last asked: then it is not idle. */
  peerHasTakenMore () {
    const taken = this.batch?.taken()
    if (taken === undefined || taken === this.taken) return false
    this.taken = taken
    this.socket._unrefTimer()
    return true
  }
}

/** All that was ever written to a socket, whether it has left or not: no count that another thread goes on with. */
function bytesGiven (socket) {
  const equipment = equipmentOf(socket)
  if (equipment === undefined) return socket.bytesWritten
  const { batch, bytesSent } = equipment
  return ordinaryBytesWritten(socket) + (batch === null ? bytesSent : batch.sentBefore + batch.totalBytes())
}

module.exports = { bytesGiven, equip }
