'use strict'

// A folder below the root, open: what is read of it afterwards is read by its descriptor, whatever its name has come to
// mean meanwhile. It is opened by its name and then asked where it lies, so that no symbolic link, and nobody who
// exchanges folders at that moment, leads outside.

const fs = require('node:fs')
const { constants } = require('node:os')
const { join, sep } = require('node:path')
const { isBelow, refusal } = require('../static/below')
const { kindBelow } = require('./kind-below')

const { O_RDONLY, O_DIRECTORY = 0, O_NONBLOCK = 0 } = fs.constants
const { ENOTDIR, EXDEV } = constants.errno

class Folder {
  /**
   * @param {fs.promises.FileHandle | null} handle
   * @param {string} place where it lies
   * @param {{ root: Root, realRoot: string, name: string }} asked the root, where that lies, and the name below it
   */
  constructor (handle, place, asked) {
    this.handle = handle
    this.asked = asked
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

  /** What a symbolic link in it leads to, if requests get there; null otherwise. */
  async follow (name) {
    const { root, realRoot, name: own } = this.asked
    try {
      const real = await fs.promises.realpath(this.pathOf(name))
      if (!isBelow(realRoot, real)) return null
      const stat = await fs.promises.stat(real)
      if (stat.isFile() || stat.isDirectory()) await kindBelow(root, join(own, name.toString()))
      return stat
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
 * @param {Root} root
 * @param {string} name below it
 * @returns {Promise<Folder>}
 */
async function openFolder (root, name) {
  if (name !== '' && await kindBelow(root, name) !== 'folder') throw refusal(ENOTDIR, name)
  const realRoot = await fs.promises.realpath(root.path)
  const asked = { root, realRoot, name }
  const path = join(realRoot, name)
  if (process.platform !== 'linux') return openByName(path, asked)
  const handle = await fs.promises.open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK)
  try {
    const place = await fs.promises.readlink(`/proc/self/fd/${handle.fd}`)
    if (!isBelow(realRoot, place)) throw refusal(EXDEV, path)
    return new Folder(handle, place, asked)
  } catch (err) {
    await handle.close()
    throw err
  }
}

/** Where a descriptor has no name to read it by. */
async function openByName (path, asked) {
  const place = await fs.promises.realpath(path)
  if (!isBelow(asked.realRoot, place)) throw refusal(EXDEV, path)
  return new Folder(null, place, asked)
}

module.exports = { openFolder }
