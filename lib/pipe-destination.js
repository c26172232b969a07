'use strict'

// What a ReadStream is piped to: whether it takes regions, and what happens when it closes too soon.

const { errorMonitor } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const { socketReason, writableReason } = require('./eligibility')
const { bytesGiven } = require('./equipped-socket')
const { lifeOf } = require('./socket-life')

const { write: usualWrite } = http.OutgoingMessage.prototype
const kFailed = Symbol('sendfile-native.failed')
const kWatched = Symbol('sendfile-native.watched')

/** @returns {net.Socket | undefined} what the bytes go to in the end */
function connectionOf (destination) {
  if (destination instanceof net.Socket) return destination
  return destination.socket ?? destination.req?.socket
}

/** Why the destination has to be given bytes, or null. */
function pipeReason (destination) {
  const isSocket = destination instanceof net.Socket
  if (!isSocket && !(destination instanceof http.OutgoingMessage)) return writableReason(destination)
  if (destination.destroyed || destination.writableEnded) return 'closed'
  if (!isSocket) {
    if (destination.write !== usualWrite) return 'wrapped'
    // Node 22 and 24 send the end of a chunked body before what is corked of it: nothing ends in the turn it comes.
    if (destination.writableCorked > 0) return 'corked'
    const { statusCode, _hasBody } = destination
    if (_hasBody === false || statusCode === 204 || statusCode === 304) return 'no-body'
    // A request's socket is not known yet: it may be a TLS one.
    if (!destination.socket && !(destination instanceof http.ServerResponse)) return 'connecting'
  }
  const connection = connectionOf(destination)
  if (!(connection instanceof net.Socket)) return 'not-a-socket'
  if (connection.destroyed) return 'closed'
  return connection.connecting ? 'connecting' : socketReason(connection)
}

/**
 * From now on, where Node leaves things open: when a destination closes before it has finished, the stream whose only
 * consumer it was is destroyed; when a response ends before it has what it promised, its connection is closed.
 */
function watchPipes (stream) {
  for (const destination of stream._readableState.pipes) {
    if (destination[kWatched]) continue
    destination[kWatched] = true
    destination.on(errorMonitor, failed)
    destination.on('unpipe', unpiped)
    if (!(destination instanceof http.ServerResponse)) continue
    watchLength(destination)
    if (!destination.socket && connectionOf(destination) instanceof net.Socket) new Waiting(stream, destination).start()
  }
}

/** A response that is behind others on its connection hears nothing when that closes. */
class Waiting {
  stream
  response
  life

  constructor (stream, response) {
    this.stream = stream
    this.response = response
    this.life = lifeOf(connectionOf(response))
  }

  start () {
    this.life.join(this)
    this.response.once('socket', () => this.life.leave(this))
  }

  socketDestroyed () {
    const { stream, response } = this
    const { pipes } = stream._readableState
    const isOnly = pipes.length === 1 && pipes[0] === response && stream.listenerCount('data') === 1
    if (stream.autoClose && isOnly) process.nextTick(giveUp, stream)
  }
}

/** The same from when the stream begins to flow, which may be before it is open, or after it has read all. */
function watchFirstPipes (stream) {
  stream.once('resume', resumed)
}

/** `this` is the stream. */
function resumed () {
  watchPipes(this)
}

/** `this` is the destination. */
function failed () {
  this[kFailed] = true
}

/** `this` is the destination. Where neither holds, it was the user who called unpipe(). */
function unpiped (stream) {
  if (!(stream instanceof fs.ReadStream) || !stream.autoClose || this.writableFinished) return
  if (this.destroyed) abandon(stream)
  else if (this[kFailed]) this.once('close', () => abandon(stream))
}

/** In the next tick: somebody may have another use for it. */
function abandon (stream) {
  process.nextTick(() => { if (!hasConsumer(stream)) giveUp(stream) })
}

function giveUp (stream) {
  forgetEnd(stream)
  stream.destroy()
}

/**
 * For a stream that is destroyed when it has read all, and its 'end' was not emitted. Node takes it for one that has
 * ended: a pipeline would wait for its destination, which nobody ends.
 */
function forgetEnd (stream) {
  const state = stream._readableState
  if (!state.endEmitted) state.ended = false
}

function hasConsumer (stream) {
  return stream._readableState.pipes.length > 0 || stream.listenerCount('data') > 0 ||
    stream.listenerCount('readable') > 0
}

/** Whatever follows a body that is too short would be taken for the rest of it. */
function watchLength (response) {
  if (response._headerSent) return // what went out before is not known
  let before
  const begin = () => { before = bytesGiven(response.socket) }
  if (response.socket) begin()
  else response.once('socket', begin)
  response.once('prefinish', () => {
    const { socket, chunkedEncoding, _hasBody, _header, _contentLength } = response
    if (!socket || before === undefined || chunkedEncoding || !_hasBody || !(_contentLength > 0)) return
    const body = bytesGiven(socket) - before - Buffer.byteLength(_header, 'latin1')
    // http ends the connection itself, behind what is queued, and nothing else goes out on it.
    if (body < _contentLength) response._last = true
  })
}

module.exports = { connectionOf, forgetEnd, pipeReason, watchFirstPipes, watchPipes }
