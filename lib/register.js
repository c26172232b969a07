'use strict'

// Methods of fs.ReadStream are replaced: that reaches every stream of the process, however it is made.

const fs = require('node:fs')
const { processReason } = require('./eligibility')
const { construct, read } = require('./region-read')
const { stats } = require('./stats')

const { prototype } = fs.ReadStream
const debug = process.env.SENDFILE_NATIVE_DEBUG === '1'

/** fs.ReadStream's own. */
const { _construct, _read } = prototype
let isRegistered = false

const replacements = {
  _construct (callback) {
    if (isRegistered) construct(this)
    _construct.call(this, callback)
  },
  _read (size) {
    if (isRegistered) read(this, size, replacements._read, _read, debug ? note : undefined)
    else _read.call(this, size)
  }
}

function register () {
  if (isRegistered) return
  isRegistered = true
  // Where somebody has replaced ours, and calls it, it is there already.
  if (prototype._read === _read) Object.assign(prototype, replacements)
  if (debug) process.on('exit', report)
}

function unregister () {
  if (!isRegistered) return
  isRegistered = false
  process.off('exit', report)
  for (const [name, original] of Object.entries({ _construct, _read })) {
    if (prototype[name] === replacements[name]) prototype[name] = original
  }
}

/** Bytes that were read by fs, by reason. */
const copied = {}
const noted = new WeakMap()

/** What was read since the last time was read for the reason given then: null, natively. */
function note (stream, reason) {
  const last = noted.get(stream)
  const { bytesRead } = stream
  if (last?.reason) copied[last.reason] = (copied[last.reason] ?? 0) + bytesRead - last.bytes
  noted.set(stream, { reason, bytes: bytesRead })
}

function report () {
  const { regions, bytes } = stats().streams
  const total = Object.values(copied).reduce((sum, each) => sum + each, 0)
  const message = { native: { regions, bytes }, copied: { bytes: total, ...copied }, disabled: processReason() }
  fs.writeSync(2, `sendfile-native: ${JSON.stringify(message)}\n`)
}

module.exports = { register, unregister }
