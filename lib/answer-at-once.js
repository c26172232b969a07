'use strict'

// A head and its body in one call of the addon, on the JavaScript thread, where nothing is queued before them: the
// response then is as one whose bytes were all written. What does not fit into the socket goes the usual way.

const http = require('node:http')
const { descriptorOfSocket } = require('./descriptor')
const { socketReason } = require('./eligibility')
const { answer } = require('./environment')
const { equip } = require('./equipped-socket')

const { _send, _writeRaw } = http.OutgoingMessage.prototype

/** Heads are written here for the addon. A longer one goes the usual way. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024)

/**
 * @param {http.ServerResponse} res its head not sent, but complete: Content-Length is `length`; nobody replaced `write`
 *   or `end`
 * @param {OpenFile} file
 * @param {boolean} closes whether the file is to be closed, if all went; otherwise it stays open
 * @returns {number} how many of the `length` bytes from `start` went; the response takes the rest as its body, and is
 *   then to be ended
 */
function answerAtOnce (res, file, start, length, closes) {
  const { socket } = res
  if (!file.isAtHand || !isPlain(res) || !isFree(res, socket)) return 0
  if (!res.headersSent) res.writeHead(res.statusCode)
  const head = res._header
  // Others may have had a hand in the head: in its framing, or by beginning to send it.
  if (res._headerSent || res.chunkedEncoding || !res._hasBody || head.length > scratch.length) return 0
  if (Number(res.getHeader('Content-Length')) !== length) return 0
  if (!isPlain(res) || !isFree(res, socket)) return 0
  const headLength = scratch.latin1Write(head)
  const equipment = equip(socket)
  const sent = answer(descriptorOfSocket(socket, 'socket'), scratch, headLength, file.id, start, length, closes)
  equipment.bytesSent += sent
  if (sent < headLength) {
    res._header = head.slice(sent) // what is still to be sent of it goes before the body
    return 0
  }
  res._headerSent = true
  return sent - headLength
}

/** Whether http writes its bytes to the socket as ever, and does not count those of the body. */
function isPlain (res) {
  return res._send === _send && res._writeRaw === _writeRaw && !res.strictContentLength
}

/** Whether nothing of this or another response is on its way to the socket. */
function isFree (res, socket) {
  return socket !== null && socket._httpMessage === res && res.outputData.length === 0 && res.writableCorked === 0 &&
    socket.writableLength === 0 && socket.writableCorked === 0 && socket.writable && !socket.connecting &&
    socketReason(socket) === null
}

module.exports = { answerAtOnce }
