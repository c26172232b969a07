'use strict'

// From what a caller passes to a descriptor number. The only place that looks at a socket's handle.

const net = require('node:net')
const { invalidArgType, noDescriptor } = require('./errors')
const { validateDescriptorNumber } = require('./validate')

const EXPECTED = 'of type number or an instance of net.Socket, fs.ReadStream, fs.WriteStream, or FileHandle'

/** @returns {number} */
function descriptorOf (owner, name) {
  if (typeof owner === 'number') return validateDescriptorNumber(owner, name)
  if (owner instanceof net.Socket) return descriptorOfSocket(owner, name)
  if (typeof owner !== 'object' || owner === null || !('fd' in owner)) throw invalidArgType(name, EXPECTED, owner)
  const { fd } = owner
  // fs streams have null before and after, a FileHandle -1 after.
  if (fd === null || fd === undefined || fd === -1) {
    throw noDescriptor(name, owner.pending && !owner.destroyed ? 'the stream is not open yet' : 'it is closed')
  }
  if (typeof fd !== 'number') throw invalidArgType(name, EXPECTED, owner)
  return validateDescriptorNumber(fd, `${name}.fd`)
}

/** @returns {number} */
function descriptorOfSocket (socket, name) {
  // The socket of an HTTP/2 session is a proxy, which throws here: its bytes are the session's business.
  void socket.write
  if (socket.connecting) throw noDescriptor(name, 'the socket is still connecting')
  if (socket.encrypted) throw noDescriptor(name, 'a TLS socket, whose bytes must be encrypted')
  const fd = socket.destroyed ? undefined : socket._handle?.fd
  if (isDescriptor(fd)) return fd
  throw noDescriptor(name, socket._handle ? 'the socket has none of its own' : 'the socket is closed')
}

/** Whether an open socket may keep the process alive: not after `unref()`. */
function isReferenced (socket) {
  return socket._handle?.hasRef() === true
}

/** Whether the bytes of an open socket go to a descriptor as they are: TCP, a unix socket or a pipe. */
function hasOwnDescriptor (socket) {
  const kind = socket._handle?.constructor.name
  return (kind === 'TCP' || kind === 'Pipe') && isDescriptor(socket._handle.fd)
}

/** What libuv has not given to the kernel yet of what was written, and the descriptor that it goes to. */
function queuedInHandle (socket) {
  const { fd = -1, writeQueueSize = 0 } = socket._handle ?? {}
  return { fd, bytes: writeQueueSize }
}

function isDescriptor (fd) {
  return Number.isInteger(fd) && fd >= 0
}

module.exports = { descriptorOf, descriptorOfSocket, hasOwnDescriptor, isReferenced, queuedInHandle }
