'use strict'

// The chunks of one write to an equipped socket, on their way: to the engine as gather lists (bytes, a
// region, bytes), or where that cannot be, through the socket's ordinary methods.

const { AsyncResource } = require('node:async_hooks')
const http = require('node:http')
const { addon } = require('./binding')
const { copyPart } = require('./copy')
const { descriptorOfSocket, queuedInHandle } = require('./descriptor')
const { socketReason } = require('./eligibility')
const { Sending } = require('./environment')
const { destinationClosed } = require('./errors')
const { regionOf } = require('./region')
const { lifeOf } = require('./socket-life')
const { count } = require('./stats')

class Batch {
  equipment
  entries
  callback
  sentBefore
  index = 0
  /** What goes next, gathered: bytes, a region, bytes. */
  before = null
  region = null
  after = null
  /** The engine's, while it sends; the bytes before the region in it. */
  sending = null
  start = 0
  isSubmitting = false
  /** Whether it is called from within the stream's _write or _writev. */
  isInWrite = false
  /** A copy, while it is made. */
  copying = null
  hasFailed = false
  isFinished = false

  constructor (equipment, entries, callback) {
    this.equipment = equipment
    this.entries = entries
    this.callback = callback
    /** What the equipment had sent before. */
    this.sentBefore = equipment.bytesSent
  }

  get socket () {
    return this.equipment.socket
  }

  /** Bytes that the engine has sent of what it is sending. */
  get bytesSending () {
    return this.sending === null ? 0 : this.sending.sent
  }

  /** Bytes of its chunks. */
  totalBytes () {
    return this.entries.reduce((sum, { chunk, encoding }) => sum + byteLength(chunk, encoding), 0)
  }

  /** Bytes of the region under way that are in the kernel. */
  sentOf (region) {
    return this.sending === null ? this.copied() : this.ofRegion(region, this.sending.sent)
  }

  /** How many of `sent` bytes are the region's. */
  ofRegion (region, sent) {
    return Math.min(Math.max(sent - this.start, 0), region.length)
  }

  /** Bytes that the peer has acknowledged, give or take a constant. */
  taken () {
    if (this.sending !== null) return this.equipment.sent - addon.unacknowledged(this.sending.fd)
    // While it is copied, libuv's queue is full between two pieces, and says nothing.
    return addon === null ? undefined : this.socket.bytesWritten - unsent(this.socket)
  }

  begin () {
    this.isInWrite = true
    this.advance()
    this.isInWrite = false
  }

  advance () {
    while (!this.isFinished) {
      const entry = this.entries[this.index]
      if (entry === undefined) {
        if (this.region === null && this.before === null) return this.finish(null)
        if (!this.flush()) return
        continue
      }
      const region = regionOf(entry.chunk)
      if (region === undefined) {
        this.gather(entry)
        this.index++
      } else if (region.isSettled && !region.endsConnection) {
        this.index++ // cancelled, or could not be opened: nothing in its place
      } else if (region.isSettled && this.before === null && this.region === null) {
        this.socket.destroy() // cancelled after its head, and everything before it has left
        return
      } else if (region.isSettled) {
        if (!this.flush()) return
      } else if (this.region !== null || (!region.isOpen && this.before !== null)) {
        if (!this.flush()) return // what stands before it
      } else if (!region.isOpen) {
        region.owner.regionTurn(region, () => this.advance())
        return
      } else {
        this.region = region
        this.index++
      }
    }
  }

  gather ({ chunk, encoding }) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
    if (bytes.length === 0) return
    if (this.region === null) (this.before ??= []).push(bytes)
    else (this.after ??= []).push(bytes)
  }

  /**
   * Sends what was gathered.
   * @returns {boolean} whether it is done; if not, `advance` is called when it is
   */
  flush () {
    const { region } = this
    const before = joined(this.before)
    let after = joined(this.after)
    this.before = this.region = this.after = null
    if (after !== null && this.index < this.entries.length) {
      // The bytes after a region lead to the next, if there is one.
      this.before = [after]
      after = null
    }
    this.socket._unrefTimer()
    const reason = region?.copies ?? socketReason(this.socket)
    if (reason === null) return this.send(before, region, after)
    const refused = region?.owner.refusal(reason)
    if (refused) {
      region.batch = this
      region.settle(refused)
      this.copy(before, null, after)
      return false
    }
    if (region !== null) {
      region.copied = reason
      count.fallback(reason)
    }
    this.copy(before, region, after)
    return false
  }

  send (before, region, after) {
    const resource = region === null ? new AsyncResource('SENDFILEWRITE') : region.owner
    const sending = new Sending(descriptorOfSocket(this.socket, 'socket'), resource, this, region)
    this.start = before === null ? 0 : before.length
    this.sending = sending
    if (region !== null) region.batch = this
    if (this.socket.timeout) this.equipment.taken = this.taken()
    this.isSubmitting = true
    const isPending = sending.submit(before, after)
    this.isSubmitting = false
    if (isPending) this.hold(sending)
    return !isPending && !this.hasFailed
  }

  hold (sending) {
    lifeOf(this.socket).hold(sending)
  }

  /** The engine's answer. */
  sent (sending, err, bytes) {
    const { region } = sending
    this.sending = null
    this.equipment.bytesSent += bytes
    this.socket._unrefTimer()
    const ofRegion = region === null ? 0 : this.ofRegion(region, bytes)
    if (err) {
      // The stream must not be destroyed from within its own _writev, before anybody is told why.
      this.hasFailed = true
      if (this.isInWrite) process.nextTick(() => this.fail(err, region, ofRegion))
      else this.fail(err, region, ofRegion)
      return
    }
    // The end of a file is no small write that more may follow: Nagle's algorithm would hold it for 40 ms.
    if (region !== null) addon.push(sending.fd)
    region?.settle(null, ofRegion)
    if (!this.isSubmitting) this.advance()
  }

  /** Through the socket's ordinary methods, one after the other. */
  copy (before, region, after) {
    const { equipment, socket } = this
    const write = (bytes, written) => {
      if (bytes === null) written(null)
      else equipment.behind._write.call(socket, bytes, 'buffer', (err) => written(err ?? null))
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
    write(before, (err) => {
      if (err || this.isFinished) return settled(err)
      const rest = (err) => err ? settled(err) : write(after, settled)
      if (region === null) return rest(null)
      if (region.isSettled) return socket.destroy() // cancelled while its head left: its file is closed
      region.batch = this
      this.copying = { sent: 0, underWay: 0, stop () {} } // before the first piece is read
      this.copying = copyPart(region, write, rest)
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
    const isFiles = err.code === 'ERR_SENDFILE_TRUNCATED' || err.syscall === 'read' || err.code === 'EIO'
    if (region !== null) {
      region.endsConnection = true
      region.hasBadFile = isFiles
      // As net.Socket says of one that somebody else has closed.
      region.settle(err.code === 'ERR_SOCKET_CLOSED' ? destinationClosed(err) : err, bytesSent)
    }
    const isOfResponse = isFiles && this.socket._httpMessage instanceof http.ServerResponse
    if (isOfResponse) this.finishWhenClosed(err)
    if (isFiles) this.socket.destroy()
    this.finish(err)
  }

  cancel (reset) {
    this.copying?.stop()
    const { sending } = this
    if (sending === null) return
    const { region } = sending
    // The engine has a duplicate: closing the socket alone would show the peer nothing.
    addon.endConnection(sending.fd, reset)
    const sent = sending.cancel()
    if (region !== null) {
      region.bytesSent = this.ofRegion(region, sent)
      region.batch = null
    }
    this.sending = null
    this.equipment.bytesSent += sent
  }

  /** Only the first call counts. */
  finish (err) {
    if (!this.isFinished) this.end(err, this.callback)
  }

  /**
   * http takes a response whose last write has failed for one that has finished, unless it has closed before, and its
   * socket has this mark. Of what a file did wrong nobody else may tell: its stream may have ended.
   */
  finishWhenClosed (err) {
    const { callback, socket } = this
    socket._hadError = true
    this.end(err, (err) => socket.once('close', () => callback(err)))
  }

  end (err, then) {
    this.isFinished = true
    if (this.equipment.batch === this) this.equipment.batch = null
    if (err) {
      for (const { chunk } of this.entries) regionOf(chunk)?.settle(err)
    }
    then(err)
  }
}

/** Bytes that were written to a socket and that its peer has not acknowledged. */
function unsent (socket) {
  const { fd, bytes } = queuedInHandle(socket)
  return bytes + Math.max(addon.unacknowledged(fd), 0)
}

function byteLength (chunk, encoding) {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
}

/** @param {Buffer[] | null} buffers */
function joined (buffers) {
  if (buffers === null) return null
  return buffers.length > 1 ? Buffer.concat(buffers) : buffers[0]
}

module.exports = { Batch }
