'use strict'

// One `_read` of an fs.ReadStream that may push a region instead of bytes: when the stream's only consumer
// is a pipe to a socket or an http message that the engine can send on. The pipe stays Node's, and so do
// back-pressure, 'end', 'close' and errors. A region is pushed only where it is emitted in the same call:
// nobody but the pipe ever sees one, and none lies in the stream's buffer.

const { AsyncResource } = require('node:async_hooks')
const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const { Readable } = require('node:stream')
const { addon } = require('./binding')
const { connectionOf, forgetEnd, pipeReason, watchFirstPipes, watchPipes } = require('./pipe-destination')
const { processReason } = require('./eligibility')
const { equip } = require('./equipped-socket')
const { destinationClosed } = require('./errors')
const { adoptFile } = require('./open-file')
const { Region } = require('./region')
const { lifeOf } = require('./socket-life')
const { count } = require('./stats')

const NO_BYTES = Buffer.alloc(0)

/** Why a descriptor cannot be duplicated now, although it might be later. */
const NO_ROOM = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

const kNoRegions = Symbol('sendfile-native.noRegions')

/** What one region holds at most, in bytes: that much goes out after the stream was paused or destroyed. */
const REGION_BYTES = 8 * 1024 * 1024

/**
 * `_read(size)` of a stream.
 * @param {Function} method the `_read` that calls: an instance or a subclass with another gets bytes
 * @param {Function} readBytes fs.ReadStream's own
 * @param {(stream, reason) => void} [note] told of each read of bytes, and why; null for a region
 */
function read (stream, size, method, readBytes, note) {
  let reason = processReason()
  if (reason === null) {
    watchPipes(stream)
    reason = reasonForBytes(stream, method)
  }
  if (reason === 'drain') {
    stream.push(NO_BYTES) // nothing is read ahead: it reads again when its destination takes more
    return
  }
  note?.(stream, reason)
  if (reason === null) new RegionRead(stream, size, method, readBytes).start()
  else readBytes.call(stream, size)
}

/** `_construct(callback)` of a stream, before fs.ReadStream's own. */
function construct (stream) {
  if (processReason() === null) watchFirstPipes(stream)
}

/** Why the stream has to read bytes, or null; 'drain' when its one destination takes no more for now. */
function reasonForBytes (stream, method) {
  if (stream[kNoRegions]) return 'unsupported-file'
  if (!isOrdinary(stream, method)) return 'replaced'
  const state = stream._readableState
  if (!isPipedOnly(stream, state)) return 'consumer'
  const [destination] = state.pipes
  // Its position is shared with whoever has the descriptor, and moves with each read.
  if (stream.pos === undefined && stream.path === undefined) return 'position'
  const reason = pipeReason(destination)
  if (reason !== null || state.flowing) return reason
  return state.awaitDrainWriters === destination ? 'drain' : 'consumer'
}

/** Whether it reads by fs, and nobody has replaced the methods that chunks pass through. */
function isOrdinary (stream, method) {
  const { prototype } = Readable
  return stream._read === method && stream.push === prototype.push && stream.read === prototype.read &&
    stream.pipe === prototype.pipe && stream.emit === EventEmitter.prototype.emit && readsByFs(stream)
}

let kFs
let kHandle

/** Not by what the option `fs` gave it. */
function readsByFs (stream) {
  if (kFs === undefined) {
    const symbols = Object.getOwnPropertySymbols(stream)
    kFs = symbols.find(({ description }) => description === 'kFs')
  }
  if (kFs === undefined || stream[kFs] === fs) return kFs !== undefined
  kHandle ??= Object.getOwnPropertySymbols(stream).find(({ description }) => description === 'kHandle')
  return kHandle !== undefined && stream[kHandle] !== undefined
}

/** Whether what is pushed goes to one pipe, as it is. */
function isPipedOnly (stream, state) {
  if (state.pipes.length !== 1 || state.length !== 0 || state.objectMode || state.decoder) return false
  const listener = stream._events.data
  return typeof listener === 'function' && listener.name === 'ondata' && stream.listenerCount('readable') === 0
}

class RegionRead extends AsyncResource {
  stream
  size
  method
  readBytes
  life = null
  region = null

  constructor (stream, size, method, readBytes) {
    super('SENDFILESTREAM')
    this.stream = stream
    this.size = size
    this.method = method
    this.readBytes = readBytes
  }

  start () {
    adoptFile(this.stream.fd, this, (err, file) => {
      const { stream } = this
      if (!stream.destroyed && !err && this.push(file)) return
      file?.close()
      if (stream.destroyed) return
      if (err && !NO_ROOM.has(err.code)) stream[kNoRegions] = true // no regular file: it is not asked again
      this.readBytes.call(stream, this.size)
    })
  }

  /** @returns {boolean} whether it did */
  push (file) {
    const { stream } = this
    const offset = stream.pos ?? stream.bytesRead
    const limit = Math.min(stream.end + 1, file.size)
    const length = Math.min(limit - offset, REGION_BYTES)
    if (!(length > 0)) {
      stream[kNoRegions] = true // at the end, or beyond; or its size says nothing, as in /proc
      return false
    }
    const state = stream._readableState
    if (state.sync || state.ended || reasonForBytes(stream, this.method) !== null) return false
    if (stream.pos === undefined) {
      // What reads bytes after this reads on from there.
      if (!addon.movePosition(stream.fd, offset, offset + length)) return false
    } else {
      stream.pos += length
    }
    stream.bytesRead += length
    // The end is known before the last bytes leave: they and the end of the response are one tick.
    const isLast = offset + length === limit
    const region = this.regionOf(file, offset, length, isLast)
    try {
      stream.push(region.asChunk(length))
    } catch (err) { // of a destination that does not take it after all
      region.settle(err)
      throw err
    }
    if (isLast && !stream.destroyed) {
      stream.push(null)
      stream.prependOnceListener('close', closed)
    }
    return true
  }

  regionOf (file, offset, length, isLast) {
    const [destination] = this.stream._readableState.pipes
    const connection = connectionOf(destination)
    const region = new Region(this)
    region.file = file
    region.offset = offset
    region.length = length
    region.holdsTail = isLast
    this.region = region
    if (destination === connection || destination.socket) equip(connection)
    else destination.once('socket', equip) // a response that waits for its turn
    // It is dropped with the queue that it waits in.
    this.life = lifeOf(connection)
    this.life.join(this)
    count.region(length)
    return region
  }

  socketDestroyed (err) {
    this.region.settle(destinationClosed(err))
  }

  refusal () {
    return null
  }

  regionSettled (region, err) {
    region.file.close()
    this.life.leave(this)
    const { stream } = this
    if (!region.hasBadFile || stream.destroyed) return
    // A file that became shorter is no error of a stream; the connection has ended with it.
    stream.destroy(err.code === 'ERR_SENDFILE_TRUNCATED' ? undefined : err)
  }
}

/** `this` is a stream whose end was known before its last bytes had left. */
function closed () {
  forgetEnd(this)
}

module.exports = { construct, read }
