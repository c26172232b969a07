'use strict'

const http = require('node:http')
const net = require('node:net')
const { isForeignRuntime } = require('./eligibility')
const { aborted, destinationClosed, invalidArgType, invalidArgValue } = require('./errors')
const { withBytesSent } = require('./file-transfer')
const { MessageTransfer } = require('./message-transfer')
const { sourceOf } = require('./open-file')
const { transferOptions } = require('./options')
const { SocketTransfer } = require('./socket-transfer')
const { WritableTransfer } = require('./writable-transfer')

function transferFile (destination, file, options) {
  return new Promise((resolve, reject) => {
    const settings = transferOptions(options)
    const source = sourceOf(file)
    const Transfer = transferTo(destination)
    if (settings.signal?.aborted) throw withBytesSent(aborted(settings.signal.reason), 0)
    if (destination.destroyed || destination.writableEnded) throw withBytesSent(destinationClosed(), 0)
    new Transfer(destination, source, settings, resolve, reject).start()
  })
}

/**
 * The same of a file that is open already, and is closed by it.
 * @param {string} path what it was opened by
 * @param {{ start: number, end: number } | { list: object }} part in bytes, inclusive; or several, with bytes before
 *   each and after the last, to an http message or a Writable:
 *   `{ parts: { before: Buffer, offset: number, length: number }[], after: Buffer, length: number }`
 * @param {(err: Error | null, result?: object) => void} done called later
 */
function sendOpened (destination, path, file, part, done) {
  const settings = { ...transferOptions(), ...part }
  const Transfer = transferTo(destination)
  // As of a promise: in the context of the call, and what is thrown there is nobody's failure here.
  const later = (err, result) => process.nextTick(() => transfer.runInAsyncScope(done, undefined, err, result))
  const transfer = new Transfer(destination, path, settings, (result) => later(null, result), later)
  transfer.opened = { err: null, file }
  transfer.start()
}

/** How each kind of destination is served. */
function transferTo (destination) {
  if (destination instanceof net.Socket) {
    // It would share the socket's state, but for what is counted: listeners get lost.
    if (!isForeignRuntime && !Object.hasOwn(destination, '_writableState')) {
      throw invalidArgValue('destination', 'must be the socket itself, not an object that inherits from it', destination)
    }
    // Who replaced `write` has to see the bytes.
    const isOwn = destination.write === net.Socket.prototype.write
    return isOwn && !isForeignRuntime ? SocketTransfer : WritableTransfer
  }
  if (destination instanceof http.OutgoingMessage) return MessageTransfer
  const isWritable = typeof destination === 'object' && destination !== null &&
    ['write', 'end', 'on'].every((method) => typeof destination[method] === 'function')
  if (isWritable) return WritableTransfer
  throw invalidArgType('destination',
    'an instance of net.Socket, http.ServerResponse, http.ClientRequest, or Writable', destination)
}

module.exports = { sendOpened, transferFile }
