'use strict'

// Descriptors of everything but what is sent, opened where others were just closed: the kernel gives the lowest number
// that is free. Whoever reads by a number that is no longer his reads a decoy's bytes, whoever writes by it writes to
// one that looks, and whoever closes it closes one that is counted.

const fs = require('node:fs')
const path = require('node:path')
const testkit = require('../helpers/testkit')
const { marked } = require('../helpers/long-proof')

const MAGIC = 0x5a
const BYTES = 64 * 1024

class Decoys {
  /** @param {(text: string) => void} found */
  constructor (folder, count, found) {
    this.file = path.join(folder, 'decoy')
    fs.writeFileSync(this.file, marked(0xffff, 0, BYTES, MAGIC))
    this.found = found
    this.ring = new Array(count).fill(null)
    this.next = 0
    this.recycled = 0
    this.scratch = Buffer.alloc(64)
  }

  /** Closes the oldest, and opens another where there is room. */
  recycle () {
    const at = this.next++ % this.ring.length
    this.close(this.ring[at])
    this.ring[at] = this.open(this.next % 4)
    this.recycled++
  }

  open (kind) {
    let fds
    if (kind === 0) {
      fds = testkit.pipe()
    } else if (kind === 1) {
      fds = testkit.socketpair()
    } else {
      fds = [fs.openSync(this.file, 'r+')]
    }
    // What should stay empty is looked into without waiting.
    if (kind < 2) for (const fd of fds) testkit.setNonblocking(fd, true)
    return { kind, ends: fds.map((fd) => ({ fd, inode: fs.fstatSync(fd).ino })) }
  }

  close (decoy) {
    if (decoy === null) return
    const { kind, ends } = decoy
    try {
      for (const { fd, inode } of ends) {
        if (fs.fstatSync(fd).ino !== inode) this.found(`descriptor ${fd} of a decoy is another's: somebody closed it`)
      }
      for (const { fd } of kind === 0 ? ends.slice(0, 1) : kind === 1 ? ends : []) this.look(fd)
    } catch (err) {
      this.found(`a decoy: ${err.stack}`)
    }
    for (const { fd } of ends) {
      try {
        fs.closeSync(fd)
      } catch (err) {
        this.found(`closing a decoy: ${err.message}`)
      }
    }
  }

  /** Nobody has written to it, and both of its ends are open. */
  look (fd) {
    try {
      const bytes = fs.readSync(fd, this.scratch)
      this.found(bytes === 0 ? 'the other end of a decoy was closed' : `${bytes} bytes were written to a decoy: ${this.scratch.toString('hex', 0, Math.min(bytes, 24))}`)
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err
    }
  }

  end () {
    for (const decoy of this.ring) this.close(decoy)
    this.ring.fill(null)
    if (!fs.readFileSync(this.file).equals(marked(0xffff, 0, BYTES, MAGIC))) this.found('somebody wrote to the decoys\' file')
  }
}

module.exports = { Decoys }
