'use strict'

const http = require('node:http')
const net = require('node:net')
const { isForeignRuntime } = require('./eligibility')
const { aborted, destinationClosed, invalidArgType } = require('./errors')
const { withBytesSent } = require('./file-transfer')
const { ListTransfer } = require('./list-transfer')
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
 * @param {{ start: number, end: number }} part in bytes, inclusive
 * @param {(err: Error | null, result?: object) => void} done
 */
function sendOpened (destination, path, file, part, done) {
  sendWith(transferTo(destination), destination, path, file, part, done)
}

/**
 * The same of several parts of a file, to an http message or a Writable.
 * @param {{ parts: { before: Buffer, offset: number, length: number }[], after: Buffer, length: number }} list bytes
 *   before each part, and after the last; bytes in all
 */
function sendList (destination, path, file, list, done) {
  const Transfer = transferTo(destination)
  sendWith(Transfer === MessageTransfer ? ListTransfer : Transfer, destination, path, file, { list }, done)
}

function sendWith (Transfer, destination, path, file, part, done) {
  const settings = { ...transferOptions(), ...part }
  const transfer = new Transfer(destination, path, settings, (result) => done(null, result), done)
  transfer.opened = { err: null, file }
  transfer.start()
}

/** How each kind of destination is served. */
function transferTo (destination) {
  if (destination instanceof net.Socket) {
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

module.exports = { sendList, sendOpened, transferFile }
