'use strict'

// An addon that was cut short, by a full disk or an interrupted copy, is mapped all the same, and touching a page that
// is missing ends the process by SIGBUS: so this looks before it is loaded.

const fs = require('node:fs')

// The header of an ELF file of 64 bits, as all that are prebuilt are. Linkers put the table of sections last.
const HEADER_BYTES = 64
const MAGIC = Buffer.from('\x7fELF\x02\x01', 'latin1')
const SECTIONS_OFFSET = 0x28
const SECTION_BYTES = 0x3a
const SECTION_COUNT = 0x3c

/** @throws {Error} of fs, or one with `code: 'ERR_DLOPEN_FAILED'`, as the loader's own */
function assertWhole (file) {
  const fd = fs.openSync(file, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    const bytes = fs.readSync(fd, header, 0, HEADER_BYTES, 0)
    if (bytes < HEADER_BYTES || header.indexOf(MAGIC) !== 0) return // the loader says what it is
    const sections = header.readUInt16LE(SECTION_BYTES) * header.readUInt16LE(SECTION_COUNT)
    const needed = Number(header.readBigUInt64LE(SECTIONS_OFFSET)) + sections
    const { size } = fs.fstatSync(fd)
    if (size >= needed) return
    throw Object.assign(new Error(`it has ${size} of ${needed} bytes`), { code: 'ERR_DLOPEN_FAILED' })
  } finally {
    fs.closeSync(fd)
  }
}

module.exports = { assertWhole }
