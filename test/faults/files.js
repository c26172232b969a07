'use strict'

// The files that are served: random bytes, kept in memory, which every byte that arrives is compared with.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { contents } = require('../soak/contents')

const KIB = 1024
const MIB = 1024 * KIB

const SIZES = { tiny: KIB, small: 10_000, middle: 700_000, cold: 2 * MIB + 5, large: 3 * MIB + 1, huge: 24 * MIB }

class Files {
  /** @param {string} root a folder that is there, and belongs to who runs this */
  constructor (root) {
    this.root = root
    /** The same folder, over a symbolic link. */
    this.link = `${root}-link`
    fs.symlinkSync(root, this.link)
    this.bytes = new Map()
    fs.chmodSync(root, 0o755)
    for (const kind of ['struck', 'other']) {
      for (const [size, length] of Object.entries(SIZES)) this.write(`${kind}-${size}.bin`, length)
    }
  }

  write (name, length) {
    const bytes = contents(name, 0, length)
    const fd = fs.openSync(this.path(name), 'w', 0o644)
    fs.writeSync(fd, bytes)
    fs.fsyncSync(fd) // what is not on the disk cannot be dropped from memory
    fs.closeSync(fd)
    this.bytes.set(name, bytes)
  }

  path (name) {
    return path.join(this.root, name)
  }

  /** Drops what the kernel has of it in memory; returns whether that can be done here. */
  drop (name) {
    const args = [`if=${this.path(name)}`, 'iflag=nocache', 'count=0', 'status=none']
    return spawnSync('dd', args).status === 0
  }
}

module.exports = { Files }
