'use strict'

// What a listing shows of a folder, in its order.

const { sortInTurns, sortingKey } = require('./natural-order')

/** So many are shown: to be sorted, they have to be in memory. */
const MOST_ENTRIES = 100_000

/** So many are asked about at a time. */
const BATCH = 64

const DOT = '.'.charCodeAt(0)

/** One name in a folder. */
class Entry {
  /** @param {Buffer} bytes of the name */
  constructor (bytes, isFolder, isServed) {
    this.bytes = bytes
    this.name = bytes.toString()
    this.isFolder = isFolder
    /** Whether its URL leads to it: not where it leads outside, is a device, or has a name that is no text. */
    this.isServed = isServed && isText(bytes, this.name)
    this.key = sortingKey(this.name)
    this.isDescribed = false
    this.size = 0
    /** The last modification, or null where it cannot be told. */
    this.modified = null
  }

  describe ({ size, mtime }) {
    this.isDescribed = true
    this.size = size
    // File systems know times that Date does not.
    this.modified = Number.isNaN(mtime.getTime()) ? null : mtime
  }
}

/**
 * Names that do not begin with a dot, folders first.
 * @param {Folder} folder
 * @param {{ most?: number, isWanted?: () => boolean }} [options] how many at most; whether to go on
 * @returns {Promise<{ entries: Entry[], isWhole: boolean }>}
 */
async function entriesOf (folder, { most = MOST_ENTRIES, isWanted = () => true } = {}) {
  const entries = []
  const links = []
  let isWhole = true
  for await (const dirent of folder.entries()) {
    if (!isWanted()) break
    if (dirent.name[0] === DOT) continue
    if (entries.length + links.length === most) {
      isWhole = false
      break
    }
    if (dirent.isSymbolicLink()) links.push(dirent.name)
    else entries.push(new Entry(dirent.name, dirent.isDirectory(), dirent.isDirectory() || dirent.isFile()))
  }
  for (let i = 0; i < links.length && isWanted(); i += BATCH) {
    entries.push(...await Promise.all(links.slice(i, i + BATCH).map((name) => followed(folder, name))))
  }
  return { entries: await sortInTurns(entries, byKind), isWhole }
}

async function followed (folder, name) {
  const stat = await folder.follow(name)
  const isFolder = stat?.isDirectory() ?? false
  const entry = new Entry(name, isFolder, isFolder || (stat?.isFile() ?? false))
  if (stat !== null) entry.describe(stat)
  return entry
}

/** The entries with their sizes and times, some at a time; those that have gone meanwhile are left out. */
async function* described (folder, entries) {
  for (let i = 0; i < entries.length; i += BATCH) {
    const batch = entries.slice(i, i + BATCH)
    const there = await Promise.all(batch.map(async (entry) => {
      if (entry.isDescribed) return true
      try {
        entry.describe(await folder.lstat(entry.bytes))
      } catch (err) {
        return err.code !== 'ENOENT'
      }
      return true
    }))
    yield batch.filter((entry, index) => there[index])
  }
}

function byKind (a, b) {
  if (a.isFolder !== b.isFolder) return a.isFolder ? -1 : 1
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  return a.name < b.name ? -1 : 1
}

function isText (bytes, name) {
  return !name.includes('\ufffd') || Buffer.from(name).equals(bytes)
}

module.exports = { described, entriesOf }
