'use strict'

// The files that are served, in a temporary folder.

const { execFileSync } = require('node:child_process')
const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const KIB = 1 << 10
const MIB = 1 << 20
const GIB = 1 << 30

/** By the name of the file. */
const sizes = { '1KiB': KIB, '16KiB': 16 * KIB, '128KiB': 128 * KIB, '1MiB': MIB, '64MiB': 64 * MIB, '1GiB': GIB }

const COLD_BYTES = 8 * MIB
const COLD_FILES = 16

function write (file, bytes) {
  const block = crypto.randomBytes(Math.min(bytes, MIB))
  const fd = fs.openSync(file, 'w')
  for (let at = 0; at < bytes; at += block.length) fs.writeSync(fd, block)
  fs.closeSync(fd)
}

/** `{ folder, remove }` with the files of these names. */
function create (names) {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-bench-'))
  const folder = path.join(parent, 'files')
  fs.mkdirSync(folder)
  for (const name of names) write(path.join(folder, name), sizes[name])
  return { parent, folder, remove: () => fs.rmSync(parent, { recursive: true, force: true }) }
}

/** Files of which nothing is in memory: their names. Called again, it makes them so again. */
function cold (folder) {
  const names = Array.from({ length: COLD_FILES }, (_, i) => `cold-${i}`)
  for (const name of names) {
    const file = path.join(folder, name)
    if (!fs.existsSync(file)) write(file, COLD_BYTES)
  }
  execFileSync('sync', names.map((name) => path.join(folder, name))) // what is not on the disk cannot be dropped
  // posix_fadvise(2)
  for (const name of names) execFileSync('dd', [`if=${path.join(folder, name)}`, 'iflag=nocache', 'count=0', 'status=none'])
  return names
}

module.exports = { COLD_BYTES, cold, create, sizes }
