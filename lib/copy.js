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
      if (err?.code === 'EINTR') return next() // a signal came first: libuv does not try again
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

/** The same of several parts of the file, with bytes before each, and after the last. */
function copyList (file, { parts, after }, write, done) {
  const state = {
    before: 0,
    current: null,
    isStopped: false,
    get sent () { return this.before + (this.current?.sent ?? 0) },
    get underWay () { return this.current?.underWay ?? 0 },
    stop () {
      this.isStopped = true
      this.current?.stop()
    }
  }
  const writeBytes = (bytes, next) => {
    const written = (err) => {
      if (state.isStopped) return
      if (err) return done(err)
      state.before += bytes.length
      next()
    }
    try {
      write(bytes, written)
    } catch (err) { // as in `copy`
      done(err)
    }
  }
  const copyFrom = (index) => {
    if (index === parts.length) return writeBytes(after, () => done(null))
    const { before, offset, length } = parts[index]
    writeBytes(before, () => {
      state.current = copy(file, offset, length, write, (err) => {
        if (err) return done(err)
        state.before += length
        state.current = null
        copyFrom(index + 1)
      })
    })
  }
  copyFrom(0)
  return state
}

/** Of a part of a file, or of a list of them: `{ file, offset, length, list }`. */
function copyPart ({ file, offset, length, list }, write, done) {
  return list ? copyList(file, list, write, done) : copy(file, offset, length, write, done)
}

module.exports = { copy, copyPart }
