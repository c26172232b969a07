'use strict'

// Copying: the same contract where zero copy is not possible.

const fs = require('node:fs')
const { count } = require('./stats')
const { truncated } = require('./errors')

/** What is read at a time, in bytes. */
const PIECE = 256 * 1024

/**
 * Reads `length` bytes from `offset` and hands them to `write(buffer, written)` piece by piece, the
 * next when the last was written.
 * @param {OpenFile | FsFile} file stays open
 * @param {(err: Error | null) => void} done
 * @returns {{ sent: number, underWay: number, stop(): void }} bytes of pieces that were written, and of the one that is
 *   being written
 */
function copy (file, offset, length, write, done) {
  const state = { sent: 0, underWay: 0, stopped: false, stop () { this.stopped = true } }
  const next = () => {
    if (state.stopped) return
    if (state.sent === length) return done(null)
    // A new one each time: who takes it may keep it.
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, length - state.sent))
    fs.read(file.fd, buffer, 0, buffer.length, offset + state.sent, (err, bytes) => {
      if (state.stopped) return
      if (err) return done(err)
      if (bytes === 0) return done(truncated())
      state.underWay = bytes
      const written = (err) => {
        if (state.stopped) return
        if (err) return done(err)
        state.underWay = 0
        state.sent += bytes
        count.copied(bytes)
        next()
      }
      try {
        write(buffer.subarray(0, bytes), written)
      } catch (err) { // of a destination that is not ours
        done(err)
      }
    })
  }
  next()
  return state
}

/**
 * The same of a gather list: bytes before each part of the file, and bytes after the last.
 * @param {{ parts: { before: Buffer, offset: number, length: number }[], after: Buffer }} list
 * @returns {{ sent: number, stop(): void }}
 */
function copyList (file, { parts, after }, write, done) {
  const state = {
    before: 0,
    current: null,
    get sent () { return this.before + (this.current?.sent ?? 0) },
    stop () {
      this.current?.stop()
      this.isStopped = true
    },
    isStopped: false
  }
  const bytes = (chunk, written) => {
    const then = (err) => {
      if (state.isStopped) return
      if (err) return done(err)
      state.before += chunk.length
      written()
    }
    try {
      write(chunk, then)
    } catch (err) { // as in `copy`
      done(err)
    }
  }
  const next = (index) => {
    if (index === parts.length) return bytes(after, () => done(null))
    const { before, offset, length } = parts[index]
    bytes(before, () => {
      state.current = copy(file, offset, length, write, (err) => {
        if (err) return done(err)
        state.before += length
        state.current = null
        next(index + 1)
      })
    })
  }
  next(0)
  return state
}

module.exports = { copy, copyList }
