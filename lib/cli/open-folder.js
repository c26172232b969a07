'use strict'

// A folder below the root, open: what is read of it afterwards is read by its descriptor, whatever its name has come to
// mean meanwhile. It is opened by its name and then asked where it lies, so that no symbolic link, and nobody who
// exchanges folders at that moment, leads outside.

const fs = require('node:fs')
const { constants } = require('node:os')
const { join, sep } = require('node:path')
const { systemError } = require('../errors')

const { O_RDONLY, O_DIRECTORY = 0, O_NONBLOCK = 0 } = fs.constants
const { EXDEV } = constants.errno

class Folder {
  /**
   * @param {fs.promises.FileHandle | null} handle
   * @param {string} place where it lies
   * @param {string} root where the root lies
   */
  constructor (handle, place, root) {
    this.handle = handle
    this.place = place
    this.root = root
    /** By which it is read. */
    this.path = handle === null ? place : `/proc/self/fd/${handle.fd}`
    this.prefix = Buffer.from(this.path + sep)
  }

  /** Its entries, unsorted, without `.` and `..`. */
  async* entries () {
    yield* await fs.promises.opendir(this.path, { encoding: 'buffer', bufferSize: 256 })
  }

  /** @param {Buffer} name of an entry */
  lstat (name) {
    return fs.promises.lstat(this.pathOf(name))
  }

  /** What a symbolic link in it leads to, if that is below the root; null otherwise. */
  async follow (name) {
    try {
      const real = await fs.promises.realpath(this.pathOf(name))
      return isBelow(this.root, real) ? await fs.promises.stat(real) : null
    } catch {
      return null
    }
  }

  pathOf (name) {
    return Buffer.concat([this.prefix, name])
  }

  async close () {
    await this.handle?.close()
  }
}

/**
 * @param {string} root absolute
 * @param {string} name relative to it
 * @returns {Promise<Folder>}
 */
async function openFolder (root, name) {
  const realRoot = await fs.promises.realpath(root)
  const path = join(realRoot, name)
  if (process.platform !== 'linux') return openByName(realRoot, path)
  const handle = await fs.promises.open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK)
  try {
    const place = await fs.promises.readlink(`/proc/self/fd/${handle.fd}`)
    if (!isBelow(realRoot, place)) throw refusal(path)
    return new Folder(handle, place, realRoot)
  } catch (err) {
    await handle.close()
    throw err
  }
}

/** Where a descriptor has no name to read it by. */
async function openByName (root, path) {
  const place = await fs.promises.realpath(path)
  if (!isBelow(root, place)) throw refusal(path)
  return new Folder(null, place, root)
}

function isBelow (root, place) {
  return place === root || place.startsWith(root.endsWith(sep) ? root : root + sep)
}

function refusal (path) {
  return Object.assign(systemError(-EXDEV, 'open'), { path })
}

module.exports = { openFolder }
