'use strict'

// One method of fs.ReadStream is replaced: that reaches every stream of the process, however it is made.

const fs = require('node:fs')
const { processReason } = require('./eligibility')
const { read } = require('./region-read')
const { stats } = require('./stats')

const { prototype } = fs.ReadStream
const debug = process.env.SENDFILE_NATIVE_DEBUG === '1'

/** fs.ReadStream's own, while it is replaced. */
let original = null
let isRegistered = false

function _read (size) {
  if (isRegistered) read(this, size, _read, original, debug ? note : undefined)
  else original.call(this, size)
}

function register () {
  if (isRegistered) return
  isRegistered = true
  if (original === null) {
    original = prototype._read
    prototype._read = _read
  }
  if (debug) process.on('exit', report)
}

function unregister () {
  if (!isRegistered) return
  isRegistered = false
  process.off('exit', report)
  if (prototype._read !== _read) return // somebody replaced ours, and calls it: it does what fs's own does
  prototype._read = original
  original = null
}

/** Bytes that were read by fs, by reason. */
const copied = {}
const noted = new WeakMap()

/** What was read since the last time was read for the reason given then. */
function note (stream, reason) {
  const last = noted.get(stream)
  if (last !== undefined) copied[last.reason] = (copied[last.reason] ?? 0) + stream.bytesRead - last.bytes
  noted.set(stream, { reason, bytes: stream.bytesRead })
}

function report () {
  const { regions, bytes } = stats().streams
  const total = Object.values(copied).reduce((sum, each) => sum + each, 0)
  const message = { native: { regions, bytes }, copied: { bytes: total, ...copied }, disabled: processReason() }
  fs.writeSync(2, `sendfile-native: ${JSON.stringify(message)}\n`)
}

module.exports = { register, unregister }
