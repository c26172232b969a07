'use strict'

// What is in a file, told by its name alone: any byte can be checked, and no file has to be kept in memory.
// Each piece of a file is another window of one table of random bytes, so that a byte of another place, or of
// another file, shows.

const fs = require('node:fs/promises')
const { Random, mixed } = require('./random')

const PIECE = 64 * 1024
const WINDOWS = 1 << 20

const random = new Random(2010)
const table = Buffer.from(Uint32Array.from({ length: (WINDOWS + PIECE) / 4 }, () => random.next() * 0x100000000).buffer)

/** Calls `visit(tableOffset, length, position)` for each piece of these bytes, while it returns true. */
function walk (name, offset, length, visit) {
  const seed = mixed(...Buffer.from(name))
  for (let done = 0, bytes; done < length; done += bytes) {
    const within = (offset + done) % PIECE
    bytes = Math.min(PIECE - within, length - done)
    const window = mixed(seed, (offset + done - within) / PIECE) % WINDOWS
    if (!visit(window + within, bytes, done)) return
  }
}

/** @returns {number} the position of the first byte that is not the file's, or -1 */
function mismatch (name, offset, bytes) {
  let wrong = -1
  walk(name, offset, bytes.length, (from, length, position) => {
    if (bytes.compare(table, from, from + length, position, position + length) === 0) return true
    for (wrong = position; bytes[wrong] === table[from + wrong - position];) wrong++
    return false
  })
  return wrong
}

/** @returns {Buffer} */
function contents (name, offset, length) {
  const bytes = Buffer.allocUnsafe(length)
  walk(name, offset, length, (from, length, position) => {
    table.copy(bytes, position, from, from + length)
    return true
  })
  return bytes
}

async function writeContents (path, name, size) {
  const file = await fs.open(path, 'w')
  const AT_ONCE = 16 * PIECE
  for (let at = 0; at < size; at += AT_ONCE) await file.write(contents(name, at, Math.min(AT_ONCE, size - at)))
  await file.close()
}

module.exports = { contents, mismatch, writeContents }
