'use strict'

// A net.Socket whose write queue may hold regions. Ordinary chunks go to net.Socket's own methods; a
// batch that holds a region goes to the engine as gather lists: bytes, region, bytes. Equipped once, and
// left so.

const { AsyncResource } = require('node:async_hooks')
const net = require('node:net')
const { addon } = require('./binding')
const { copy } = require('./copy')
const { descriptorOfSocket, queuedInHandle } = require('./descriptor')
const { ours, socketReason } = require('./eligibility')
const { Sending } = require('./environment')
const { destinationClosed } = require('./errors')
const { regionOf } = require('./region')
const { lifeOf } = require('./socket-life')
const { count } = require('./stats')

const prototype = net.Socket.prototype
const bytesWritten = Object.getOwnPropertyDescriptor(prototype, 'bytesWritten').get
const equipments = new WeakMap()

/** Makes `socket` take regions. */
function equip (socket) {
  if (!equipments.has(socket)) equipments.set(socket, new Equipment(socket))
}

class Equipment {
  constructor (socket) {
    this.socket = socket
    /** The batch that is being written. */
    this.batch = null
    /** Bytes that net.Socket does not know of. */
    this.bytesSent = 0
    /** What the peer had taken when the time-out last looked. */
    this.taken = 0
    const equipment = this
    // What stands there is the prototype's, or a subclass's: it goes on serving ordinary chunks.
    const { _write, _writev, _onTimeout } = socket
    const methods = {
      _write (chunk, encoding, callback) {
        if (regionOf(chunk)) equipment.write([{ chunk, encoding }], callback)
        else _write.call(this, chunk, encoding, callback)
      },
      _writev (chunks, callback) {
        if (chunks.some(({ chunk }) => regionOf(chunk))) equipment.write(chunks, callback)
        else _writev.call(this, chunks, callback)
      },
      _onTimeout () {
        if (!equipment.peerHasTakenMore()) _onTimeout.call(this)
      }
    }
    lifeOf(socket).onDestroy.add((err) => this.end(err))
    for (const [name, value] of Object.entries(methods)) {
      ours.add(value)
      Object.defineProperty(socket, name, { value, writable: true, configurable: true })
    }
    // A timer that runs already has the old `_onTimeout`.
    if (socket.timeout) socket.setTimeout(socket.timeout)
    Object.defineProperty(socket, 'bytesWritten', {
      configurable: true,
      get: () => {
        const known = bytesWritten.call(socket)
        return known === undefined ? known : known + equipment.bytesSent + (equipment.batch?.sent ?? 0)
      }
    })
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
    const batch = new Batch(this, entries, callback)
    this.batch = batch
    batch.advance()
  }

  /** The socket is being destroyed: nobody else may go on writing to it, and the peer learns it at once. */
  end (err) {
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

/** The chunks of one write, on their way. */
class Batch {
  constructor (equipment, entries, callback) {
    this.equipment = equipment
    this.socket = equipment.socket
    this.entries = entries
    this.index = 0
    this.callback = callback
    /** What goes next: bytes, a region, bytes. */
    this.before = []
    this.region = null
    this.after = []
    /** The engine's, while it sends. */
    this.sending = null
    /** A copy, while it is made. */
    this.copying = null
    this.isFinished = false
  }

  /** Bytes that the engine has sent of what it is sending. */
  get sent () {
    return this.sending?.sent ?? 0
  }

  /** Bytes that the peer has acknowledged, give or take a constant. */
  taken () {
    if (this.sending !== null) return this.equipment.bytesSent + this.sent - addon.unacknowledged(this.sending.fd)
    // While it is copied, libuv's queue is full between two pieces, and says nothing.
    return addon === null ? undefined : bytesWritten.call(this.socket) - unsent(this.socket)
  }

  advance () {
    while (!this.isFinished) {
      const entry = this.entries[this.index]
      if (entry === undefined) {
        if (this.region === null && this.before.length === 0) return this.finish(null)
        if (!this.flush()) return
        continue
      }
      const region = regionOf(entry.chunk)
      if (region === undefined) {
        const bytes = toBuffer(entry)
        if (bytes.length > 0) (this.region === null ? this.before : this.after).push(bytes)
        this.index++
      } else if (region.isSettled && !region.endsConnection) {
        this.index++ // cancelled, or could not be opened: nothing in its place
      } else if (region.isSettled && this.before.length === 0 && this.region === null) {
        this.socket.destroy() // cancelled after its head, and everything before it has left
        return
      } else if (region.isSettled) {
        if (!this.flush()) return
      } else if (this.region !== null || (!region.isOpen && this.before.length > 0)) {
        if (!this.flush()) return // what stands before it
      } else if (!region.isOpen) {
        region.open(() => this.advance())
        return
      } else {
        this.region = region
        this.index++
      }
    }
  }

  /**
   * Sends what was gathered.
   * @returns {boolean} whether it is done; if not, `advance` is called when it is
   */
  flush () {
    const { before, region, after } = this
    this.before = region === null ? [] : after
    this.region = null
    this.after = []
    // The bytes after a region lead to the next, if there is one.
    const bytesAfter = this.index < this.entries.length ? [] : this.before.splice(0)
    this.socket._unrefTimer()
    const reason = region?.copies ?? socketReason(this.socket)
    if (reason === null) return this.send(before, region, bytesAfter)
    const refused = region?.owner.refusal(reason)
    if (refused) {
      region.settle(refused)
      this.copy([...before, ...bytesAfter], null, [])
      return false
    }
    if (region !== null) {
      region.copied = reason
      count.fallback(reason)
    }
    this.copy(before, region, bytesAfter)
    return false
  }

  send (before, region, after) {
    const parts = [...joined(before)]
    const start = parts.length === 0 ? 0 : parts[0].length
    if (region !== null && region.length > 0) {
      parts.push({ file: region.file.native, offset: region.offset, len: region.length })
    }
    parts.push(...joined(after))
    const resource = region === null ? new AsyncResource('SENDFILEWRITE') : region.resource
    let returned = false
    const done = (err, sent) => {
      this.sending = null
      this.equipment.bytesSent += sent
      this.socket._unrefTimer()
      const ofRegion = region === null ? 0 : Math.min(Math.max(sent - start, 0), region.length)
      if (err) {
        this.fail(err, region, ofRegion)
        return
      }
      // The end of a file is no small write that more may follow: Nagle's algorithm would hold it for 40 ms.
      if (region !== null) addon.push(sending.fd)
      region?.settle(null, ofRegion)
      if (returned) this.advance()
    }
    const sending = new Sending(descriptorOfSocket(this.socket, 'socket'), resource, done)
    region?.begin(() => Math.min(Math.max(sending.sent - start, 0), region.length))
    sending.onPending = () => lifeOf(this.socket).hold(sending)
    this.sending = sending
    if (this.socket.timeout) this.equipment.taken = this.taken()
    const pending = sending.submit(parts, region?.holdsTail === true, region?.mayCopy !== false)
    returned = true
    if (pending) sending.onPending()
    return !pending
  }

  /** Through net.Socket's own write, one after the other. */
  copy (before, region, after) {
    const write = (bytes, written) => {
      if (bytes === undefined) written(null)
      else prototype._writeGeneric.call(this.socket, false, bytes, 'buffer', (err) => written(err ?? null))
    }
    const settled = (err) => {
      const sent = region?.progress() ?? 0
      this.copying = null
      if (err) {
        this.fail(err, region, sent)
        return
      }
      region?.settle(null, region.length)
      this.advance()
    }
    write(joined(before)[0], (err) => {
      if (err || this.isFinished) return settled(err)
      const rest = (err) => err ? settled(err) : write(joined(after)[0], settled)
      if (region === null) return rest(null)
      const { file, offset, length } = region
      region.begin(() => this.copied())
      this.copying = { sent: 0, underWay: 0, stop () {} } // before the first piece is read
      this.copying = copy(file, offset, length, write, rest)
    })
  }

  /** Bytes of the region being copied that libuv has given to the kernel. */
  copied () {
    if (this.copying === null) return 0
    const { sent, underWay } = this.copying
    return sent + Math.max(underWay - queuedInHandle(this.socket).bytes, 0)
  }

  /**
   * What the file did wrong ends the connection, and is told to who sent it. What the socket did wrong is
   * also an 'error' of the socket, as of any write.
   */
  fail (err, region, bytesSent) {
    if (this.isFinished) return
    region?.settle(err, bytesSent)
    const isFiles = err.code === 'ERR_SENDFILE_TRUNCATED' || err.syscall === 'read' || err.code === 'EIO'
    if (isFiles) this.socket.destroy()
    this.finish(err)
  }

  cancel (reset) {
    this.copying?.stop()
    if (this.sending === null) return
    const { sending } = this
    this.sending = null
    // The engine has a duplicate: closing the socket alone would show the peer nothing.
    addon.endConnection(sending.fd, reset)
    sending.cancel()
    this.equipment.bytesSent += sending.sent
  }

  /** Only the first call counts. */
  finish (err) {
    if (this.isFinished) return
    this.isFinished = true
    if (this.equipment.batch === this) this.equipment.batch = null
    if (err) {
      for (const region of this.regions()) region.settle(err)
    }
    this.callback(err)
  }

  regions () {
    return this.entries.map(({ chunk }) => regionOf(chunk)).filter((region) => region !== undefined)
  }
}

/** Bytes that were written to a socket and that its peer has not acknowledged. */
function unsent (socket) {
  const { fd, bytes } = queuedInHandle(socket)
  return bytes + Math.max(addon.unacknowledged(fd), 0)
}

function toBuffer ({ chunk, encoding }) {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** @returns {Buffer[]} of one, or none */
function joined (buffers) {
  return buffers.length > 1 ? [Buffer.concat(buffers)] : buffers
}

module.exports = { equip }
