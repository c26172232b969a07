'use strict'

// Whoever is at the other end of a destination, and what it got.

const fs = require('node:fs')
const { turns } = require('../helpers')
const { Collected } = require('./collected')
const { DESYNCHRONISED, SECOND, bytesOf } = require('./expected')

/** Reads as its plan says: `stream` is what it reads from, `leave` and `reset` how it goes. */
class Peer {
  constructor (run, { reading }, stream) {
    this.run = run
    this.reading = reading
    this.stream = stream
    this.body = new Collected(run)
    /** How it ended: 'open' as long as it did not. */
    this.ending = 'open'
    this.hasLeft = false
    this.pauses = reading.kind === 'pauses' ? reading.at.map((share) => share * run.expected.promised) : []
  }

  get isOver () {
    return this.ending !== 'open' || this.hasLeft
  }

  begin () {
    const { stream, run, reading } = this
    stream.on('data', (chunk) => {
      run.touch()
      this.take(chunk)
      if (this.pauses[0] < this.body.count) this.pause(reading.turns)
    })
    stream.on('end', () => this.ended('end'))
    stream.on('error', (err) => this.ended(run.nameOf(err)))
    stream.on('close', () => this.ended('close'))
    if (reading.kind === 'late') this.pause(reading.turns)
  }

  take (chunk) {
    this.body.take(chunk)
  }

  pause (count) {
    while (this.pauses[0] < this.body.count) this.pauses.shift()
    this.stream.pause()
    this.run.later(turns(count).then(() => this.stream.resume()))
  }

  ended (how) {
    this.run.touch()
    if (this.ending === 'open' && !this.hasLeft) this.ending = how
  }

  leave () {
    this.hasLeft = true
    this.ending = 'left'
    this.stream.destroy()
  }

  reset () {
    this.leave()
  }

  summary (isCut, taken) {
    return { ending: this.ending, body: this.judged(isCut, taken) }
  }

  judged (isCut, taken) {
    const { bytes } = this.body
    const { extent, count, wrong } = this.run.expected.ofDestination(bytes, taken)
    if (wrong) this.run.wrong(`destination: ${wrong}`)
    return isCut || this.run.isAnyCount ? extent : `${extent}: ${count}`
  }
}

/** The client of a raw connection, or a stream that is read on this side. */
class SocketPeer extends Peer {
  reset () {
    this.hasLeft = true
    this.ending = 'left'
    if (this.stream.resetAndDestroy && !this.stream.writableEnded && this.isTcp) this.stream.resetAndDestroy()
    else this.stream.destroy()
  }
}

/** A client of HTTP that sends its requests by hand and takes the answers apart itself. */
class HttpPeer extends SocketPeer {
  constructor (run, destination, stream) {
    super(run, destination, stream)
    const { before, after, pipelined } = destination
    this.requests = [...(before ? ['before'] : []), 'file', ...(after ? ['after'] : [])]
    this.method = destination.method
    this.isPipelined = pipelined || before
    this.sent = 0
    this.answers = []
    this.rest = Buffer.alloc(0)
    this.answer = null
    this.stray = 0
    this.version = destination.version
  }

  begin (send) {
    super.begin()
    this.send = send
    this.next()
  }

  next () {
    const { requests, answers } = this
    while (this.sent < requests.length && (this.sent === answers.length || this.isPipelined)) {
      this.send(requests[this.sent++])
    }
    // The connection stays open: whoever closes it now would meet a server that may not have ended yet.
    if (answers.length === requests.length && this.ending === 'open') this.ending = 'complete'
  }

  take (chunk) {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    while (this.step());
  }

  /** @returns {boolean} whether there may be more to do */
  step () {
    if (this.answer) return this.inBody()
    if (this.answers.length === this.requests.length) {
      this.stray += this.rest.length
      this.rest = this.rest.subarray(this.rest.length)
      return false
    }
    const end = this.rest.indexOf('\r\n\r\n')
    if (end === -1) return false
    const [line, ...fields] = this.rest.toString('latin1', 0, end).split('\r\n')
    this.rest = this.rest.subarray(end + 4)
    const request = this.requests[this.answers.length]
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1] ?? line.slice(0, 40)
    const named = fields.map((field) => [field.split(': ')[0].toLowerCase(), field.split(': ')[1]])
    const headers = Object.fromEntries(named)
    const kept = ['content-length', 'transfer-encoding', 'connection'].map((name) => headers[name] ?? '-').join(' ')
    const hasBody = !['204', '304'].includes(status) && !(request === 'file' && this.method === 'HEAD')
    const isChunked = headers['transfer-encoding'] === 'chunked'
    this.answer = { request, status, kept, isChunked, remaining: 0, isComplete: false, text: '' }
    if (!hasBody) return this.completed()
    if (!isChunked) this.answer.remaining = Number(headers['content-length'] ?? Infinity)
    if (this.answer.remaining === 0 && !isChunked) return this.completed()
    return true
  }

  inBody () {
    const { answer } = this
    if (answer.remaining === 0) return this.inChunkHead()
    if (this.rest.length === 0) return false
    const piece = this.rest.subarray(0, answer.remaining)
    this.rest = this.rest.subarray(piece.length)
    answer.remaining -= piece.length
    if (answer.request === 'file') this.body.take(piece)
    else answer.text += piece.toString('latin1')
    if (answer.remaining === 0) {
      if (!answer.isChunked) return this.completed()
      answer.afterChunk = true
    }
    return true
  }

  inChunkHead () {
    const { answer } = this
    const skip = answer.afterChunk ? 2 : 0
    const end = this.rest.indexOf('\r\n', skip)
    if (end === -1) return false
    const line = this.rest.toString('latin1', 0, end)
    if (!(skip ? /^\r\n[0-9a-f]+$/ : /^[0-9a-f]+$/).test(line)) {
      this.run.wrong(`destination: the framing has ${JSON.stringify(line.slice(0, 40))}`)
      this.rest = Buffer.alloc(0)
      return false
    }
    const size = parseInt(line.slice(skip), 16)
    if (size === 0) {
      // Its trailers are empty.
      if (this.rest.length < end + 4) return false
      this.rest = this.rest.subarray(end + 4)
      return this.completed()
    }
    answer.remaining = size
    answer.afterChunk = false
    this.rest = this.rest.subarray(end + 2)
    return true
  }

  completed () {
    this.answer.isComplete = true
    this.answers.push(this.answer)
    this.answer = null
    this.next()
    return true
  }

  summary (isCut, taken) {
    const all = this.answer ? [...this.answers, this.answer] : this.answers
    const answers = all.map(({ request, status, kept, isComplete, text }) => [request, status, kept, isComplete ? 'complete' : 'incomplete', shown(text)].join(' '))
    const body = this.judged(isCut, taken)
    // How much of the next one was taken for the rest depends on how much was missing.
    if (body.startsWith(DESYNCHRONISED)) answers.length = this.requests.indexOf('file')
    return { ending: this.ending, answers, stray: this.stray, body }
  }
}

/** What another response said. */
function shown (text) {
  const second = bytesOf(SECOND.name, SECOND.size).toString('latin1')
  if (text.length < 100) return text
  return second === text ? 'second' : second.startsWith(text) ? 'a part of second' : `${text.length} other bytes`
}

/** The server of an upload. */
class UploadPeer extends Peer {
  constructor (run, destination, upload, { request, response }) {
    super(run, destination, request)
    this.upload = upload
    this.response = response
    response.on('error', () => {}) // the client has gone
  }

  ended (how) {
    super.ended(how)
    if (how !== 'end' || this.hasLeft) return
    // Who has all bytes may be faster than who sends them, and the answer ends the upload.
    if (this.upload.writableFinished) this.response.end('thanks')
    else this.upload.once('finish', () => this.response.end('thanks'))
  }

  leave () {
    super.leave()
    this.stream.socket.destroy()
  }

  summary (...args) {
    return { ...super.summary(...args), complete: this.stream.complete }
  }
}

/** A file that was written. */
class FilePeer extends Peer {
  constructor (run, destination, stream, path) {
    super(run, destination, stream)
    this.path = path
  }

  begin () {
    this.stream.on('error', (err) => this.ended(this.run.nameOf(err)))
    this.stream.on('close', () => {
      this.body.chunks = fs.existsSync(this.path) ? [fs.readFileSync(this.path)] : []
      this.ended('close')
      fs.rmSync(this.path, { force: true })
    })
  }
}

module.exports = { FilePeer, HttpPeer, Peer, SocketPeer, UploadPeer }
