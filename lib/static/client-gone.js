'use strict'

/** What ends a connection from its other side: nobody is left to be told. */
const CODES = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ECONNRESET', 'EPIPE'])

function isClientGone (err) {
  return CODES.has(err.code)
}

module.exports = { isClientGone }
