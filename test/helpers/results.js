'use strict'

const { isNative } = require('.')

const NATIVE = { zeroCopy: true, reason: null, changed: false }

/** What a transfer resolves with that was copied because it was told to be. */
const COPIED = { zeroCopy: false, reason: 'disabled', changed: false }

/** What a transfer of so many bytes resolves with, natively or with the kill switch. */
function result (bytesSent) {
  return { bytesSent, ...(isNative ? NATIVE : COPIED) }
}

module.exports = { COPIED, result }
