'use strict'

// The stream of fs, as it is, and on disks that are faster or slower than this one: what depends on that differs
// between any two runs, and any of it is right.

const fs = require('node:fs')
const { turns } = require('../helpers')

const MIB = 1 << 20

const reference = { name: 'fs', createReadStream: fs.createReadStream }

/** Calls that are answered so many turns later. */
function slow (count) {
  const later = (call) => (...args) => turns(count).then(() => call(...args))
  return { open: later(fs.open), read: later(fs.read), close: fs.close }
}

class Slow extends fs.ReadStream {
  _read (size) {
    turns(3).then(() => { if (!this.destroyed) super._read(size) })
  }
}

/** Calls that are answered in the same turn. */
const immediate = {
  open: inTurn(fs.openSync),
  read: inTurn(fs.readSync, (count, args) => [count, args[1]]),
  close: fs.close
}

function inTurn (call, results = (result) => [result]) {
  return (...args) => {
    const callback = args.pop()
    let answer
    try {
      answer = [null, ...results(call(...args), args)]
    } catch (err) {
      answer = [err]
    }
    process.nextTick(callback, ...answer)
  }
}

/**
 * Each of them is asked in turn, until one does what is looked for. `delay`: how many turns later than usual
 * interruptions come; `after`: which event of the destination, or of the source, they wait for.
 */
const variants = [
  {},
  { delay: 1 },
  { highWaterMark: 8 * MIB },
  { fs: immediate, delay: 2 },
  { fs: slow(1) },
  { fs: slow(4) },
  { highWaterMark: MIB, delay: 5 },
  { fs: slow(20) },
  { fs: immediate, highWaterMark: 8 * MIB },
  { fs: slow(2), highWaterMark: 8 * MIB },
  { delay: 20 },
  { highWaterMark: 262_144, delay: 10 },
  { fs: slow(8), highWaterMark: MIB },
  { fs: slow(50) },
  { fs: slow(3), highWaterMark: 262_144 },
  { after: 'finish' },
  { after: 'end', highWaterMark: MIB }
]

/**
 * @param {object} program
 * @param {number} index which run of this program it is
 */
function referenceFor ({ isCut, source }, index) {
  if (!isCut) return reference
  const { fs: other, delay, after, ...options } = variants[index % variants.length]
  // A FileHandle reads by itself.
  if (other && source.from === 'handle') {
    return { ...reference, delay, after, createReadStream: (path, given) => new Slow(path, given) }
  }
  if (other) options.fs = other
  const createReadStream = (path, given) => fs.createReadStream(path, { ...given, ...options })
  return { ...reference, delay, after, createReadStream }
}

/** Streams that are as right as that of fs, at another pace. */
const harmless = [
  { name: 'fs in large pieces', options: { highWaterMark: 8 * MIB } },
  { name: 'fs on a fast disk', options: { fs: immediate } },
  { name: 'fs on a slow disk', options: { fs: slow(2) } }
].map(({ name, options }) => ({
  name,
  createReadStream: (path, given) => {
    // A FileHandle reads by itself.
    const isHandle = typeof given?.fd === 'object'
    return fs.createReadStream(path, { ...given, ...(isHandle && options.fs ? {} : options) })
  }
}))

module.exports = { harmless, reference, referenceFor, variants }
