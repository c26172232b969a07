'use strict'

// Large files that a browser can do something with.

const { randomBytes, randomInt } = require('node:crypto')
const fs = require('node:fs')

const RATE = 44_100
const CHANNELS = 2
const BYTES_A_SECOND = RATE * CHANNELS * 2
const HEADER_BYTES = 44

/**
 * A WAV file (PCM, 16 bit, stereo) of so many seconds: one second of a tone, again and again.
 * @returns {number} its size
 */
function writeWav (file, seconds) {
  const length = seconds * BYTES_A_SECOND
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(HEADER_BYTES - 8 + length, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20) // PCM
  header.writeUInt16LE(CHANNELS, 22)
  header.writeUInt32LE(RATE, 24)
  header.writeUInt32LE(BYTES_A_SECOND, 28)
  header.writeUInt16LE(CHANNELS * 2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(length, 40)

  const second = Buffer.alloc(BYTES_A_SECOND)
  for (let i = 0; i < RATE; i++) {
    const value = Math.round(8000 * Math.sin(2 * Math.PI * 440 * i / RATE))
    for (let channel = 0; channel < CHANNELS; channel++) second.writeInt16LE(value, (i * CHANNELS + channel) * 2)
  }
  const fd = fs.openSync(file, 'w')
  fs.writeSync(fd, header)
  for (let i = 0; i < seconds; i++) fs.writeSync(fd, second)
  fs.closeSync(fd)
  return HEADER_BYTES + length
}

/** A sparse file, with random bytes at both ends and at places between them. */
function writeSparse (file, size, marks = 1000) {
  const fd = fs.openSync(file, 'w')
  fs.ftruncateSync(fd, size)
  const places = [0, size - 64, ...Array.from({ length: marks }, () => randomInt(size - 64))]
  for (const place of places) fs.writeSync(fd, randomBytes(64), 0, 64, place)
  fs.closeSync(fd)
}

module.exports = { writeSparse, writeWav }
