'use strict'

// Whether the engine may write to a destination, and if not, why.

const net = require('node:net')
const { addon } = require('./binding')
const { hasOwnDescriptor } = require('./descriptor')
const { writesToKernel } = require('./write-methods')

/** The kill switch of the environment. */
const disabled = process.env.SENDFILE_NATIVE === 'off'

/** Bun and Deno load the addon, but their sockets are made otherwise, and Deno's fs knows no foreign descriptor. */
const isForeignRuntime = Boolean(process.versions.bun ?? process.versions.deno)

/** Why nothing can be sent natively in this process, or null. */
function processReason () {
  if (disabled) return 'disabled'
  if (isForeignRuntime) return 'runtime'
  return addon ? null : 'unavailable'
}

/**
 * @param {net.Socket | Duplex} socket connected
 * @returns {string | null} why its bytes have to be copied
 */
function socketReason (socket) {
  const reason = processReason()
  if (reason !== null) return reason
  if (!(socket instanceof net.Socket)) return 'not-a-socket'
  if (socket.encrypted) return 'tls'
  if (socket.write !== net.Socket.prototype.write || !writesToKernel(socket)) return 'wrapped'
  return hasOwnDescriptor(socket) ? null : 'not-a-socket'
}

/** Why the bytes for a destination that is no socket of Node's own have to be copied. */
function writableReason (destination) {
  return destination.stream?.session || destination.session ? 'http2' : 'not-a-socket'
}

module.exports = { isForeignRuntime, processReason, socketReason, writableReason }
