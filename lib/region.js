'use strict'

// A region of a file as one chunk of a Writable's queue: order, back-pressure, end and destroy are the
// queue's own. Only an equipped socket may take such a chunk: to everybody else it is an empty Buffer
// that claims to be long.

const NO_BYTES = new ArrayBuffer(0)

class Region {
  owner
  /** Open, from './open-file'. */
  file = null
  offset = 0
  length = 0
  /** Several parts of the file, and bytes between them, instead: `length` is of all. */
  list = null
  /** Whether the last bytes are left for the JavaScript thread. */
  holdsTail = false
  /** Whether native threads may read it, should the kernel refuse to send it. */
  mayCopy = true
  /** Why it has to be copied, whatever the socket: `zeroCopy: false`, the kill switch, no addon. */
  copies = null
  /** Why it was copied, if it was. */
  copied = null
  /** The batch that sends it, once it is begun. */
  batch = null
  /** Whether, failed or cancelled in the queue, it takes the connection with it. */
  endsConnection = false
  /** Whether it failed because of the file, rather than of the connection. */
  hasBadFile = false
  isSettled = false
  bytesSent = 0

  /**
   * @param {AsyncResource} owner the call that it belongs to, and its context:
   *   `regionTurn(region, ready)` when its turn comes and it has no file yet: sets `file`, `offset`, `length`, or
   *   settles it, and calls `ready()`, later;
   *   `regionSettled(region, err)` once, however it ends;
   *   `refusal(reason)`, the error for a region that would have to be copied, if that was ruled out, or null
   */
  constructor (owner) {
    this.owner = owner
  }

  /** @param {number} length what it counts for in the queue, in bytes */
  asChunk (length) {
    return new RegionChunk(this, length)
  }

  get isOpen () {
    return this.file !== null
  }

  get begun () {
    return this.batch !== null
  }

  /** @returns {number} bytes of it that have been sent */
  progress () {
    return this.isSettled || this.batch === null ? this.bytesSent : this.batch.sentOf(this)
  }

  /** It is at its end. Only the first call counts. */
  settle (err, bytesSent = this.progress()) {
    if (this.isSettled) return
    const isInWrite = this.batch?.isInWrite === true
    this.isSettled = true
    this.bytesSent = bytesSent
    this.batch = null
    // What is written from within a stream's own _writev gets lost. The owner hears of it in the same tick.
    if (isInWrite) process.nextTick(() => this.tell(err))
    else this.tell(err)
  }

  tell (err) {
    this.owner.runInAsyncScope(this.owner.regionSettled, this.owner, this, err)
  }
}

class RegionChunk extends Uint8Array {
  #region

  constructor (region, length) {
    super(NO_BYTES)
    this.#region = region
    // Its own: code that V8 13.6 (Node 24) has optimized passes over a getter of the class, and reads 0.
    Object.defineProperties(this, { length: { value: length }, byteLength: { value: length } })
  }

  /** @returns {Region | undefined} what a chunk stands for */
  static regionOf (chunk) {
    return typeof chunk === 'object' && #region in chunk ? chunk.#region : undefined
  }
}
Object.setPrototypeOf(RegionChunk.prototype, Buffer.prototype)

module.exports = { Region, regionOf: RegionChunk.regionOf }
