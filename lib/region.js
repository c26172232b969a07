'use strict'

// A region of a file as one chunk of a Writable's queue: order, back-pressure, end and destroy are the
// queue's own. Only an equipped socket may take such a chunk: to everybody else it is an empty Buffer
// that claims to be long.

const kRegion = Symbol('sendfile-native.region')

class Region {
  /**
   * @param {object} owner
   * @param {AsyncResource} owner.resource the context of the call
   * @param {(region: Region, opened: (err: Error | null) => void) => void} [owner.open] for a file that is opened
   *   when its turn comes: sets `file`, `offset` and `length`
   * @param {(err: Error | null) => void} owner.settled called once, however it ends
   * @param {(reason: string) => Error | null} owner.refusal the error for a region that would have to be copied, if
   *   that was ruled out
   */
  constructor (owner) {
    this.owner = owner
    this.resource = owner.resource
    /** @type {import('./open-file').OpenFile | null} */
    this.file = null
    this.offset = 0
    this.length = 0
    /** Whether the last bytes are left for the JavaScript thread. */
    this.holdsTail = false
    /** Whether native threads may read it, should the kernel refuse to send it. */
    this.mayCopy = true
    /** Why it has to be copied, whatever the socket: `zeroCopy: false`, the kill switch, no addon. */
    this.copies = null
    /** Why it was copied, if it was. */
    this.copied = null
    this.begun = false
    /** Whether, cancelled in the queue, it takes the connection with it. */
    this.endsConnection = false
    this.isSettled = false
    /** @type {() => number} */
    this.progress = () => 0
  }

  /** @param {number} length what it counts for in the queue, in bytes */
  asChunk (length) {
    const chunk = Buffer.alloc(0)
    Object.defineProperties(chunk, {
      length: { value: length },
      byteLength: { value: length },
      [kRegion]: { value: this }
    })
    return chunk
  }

  get isOpen () {
    return this.file !== null
  }

  open (opened) {
    this.owner.open(this, opened)
  }

  /** @param {() => number} progress bytes of the region that have been sent */
  begin (progress) {
    this.begun = true
    this.progress = progress
  }

  /** It is at its end. Only the first call counts. */
  settle (err, bytesSent = this.progress()) {
    if (this.isSettled) return
    this.isSettled = true
    this.progress = () => bytesSent
    this.resource.runInAsyncScope(this.owner.settled, undefined, err)
  }
}

/** @returns {Region | undefined} what a chunk stands for */
function regionOf (chunk) {
  return chunk[kRegion]
}

module.exports = { Region, regionOf }
