'use strict'

// What goes on on an http connection, the responses taken apart here: a client of Node's would forgive, or
// hide, what must not happen.

const { Expected } = require('./model')
const { truncate } = require('./raw-conversation')

const HEAD_END = '\r\n\r\n'
const HEAD_MOST = 4096

class HttpConversation {
  constructor (plan, { send, change, counted }) {
    this.plan = plan
    this.send = send
    this.change = change
    this.counted = counted
    this.sent = 0
    /** The request whose answer comes. */
    this.index = 0
    this.read = this.readHead
    this.line = ''
    this.expected = null
    this.remaining = 0
  }

  begin () {
    this.next()
  }

  next () {
    const { requests, pipelined, ending } = this.plan
    while (this.sent < requests.length && (pipelined || this.sent === this.index)) {
      const request = requests[this.sent++]
      const close = ending === 'close' && this.sent === requests.length
      this.send(`${request.method} /${encodeURIComponent(JSON.stringify(request))} HTTP/1.1\r\nHost: soak\r\n` +
        `${close ? 'Connection: close\r\n' : ''}\r\n`)
    }
  }

  get request () {
    return this.plan.requests[this.index]
  }

  get isComplete () {
    return this.index === this.plan.requests.length
  }

  /** An abort of the server's, or a truncated file, may end the connection. */
  get mayEnd () {
    const mayBreak = ({ steps }) => steps.some((step) => step.abort !== undefined)
    // An abort may come when everything has left and only the sender does not know it yet.
    const isBetween = this.expected === null && this.line === '' && this.index > 0
    return this.isComplete || mayBreak(this.request) || (isBetween && mayBreak(this.plan.requests[this.index - 1])) ||
      (this.expected !== null && this.part?.mayCut === true)
  }

  get mayBeReset () {
    const steps = this.plan.requests.slice(this.index, this.sent).flatMap((request) => request.steps)
    return steps.some((step) => step.abort !== undefined)
  }

  take (bytes) {
    while (bytes.length > 0) {
      if (this.request === undefined) throw new Error(`bytes after the last response: ${JSON.stringify(bytes.toString('latin1', 0, 100))}`)
      bytes = bytes.subarray(this.read(bytes))
    }
  }

  /** Everything to this ending, once it has come; the count of bytes taken of these is in `used`. */
  upTo (ending, bytes, most) {
    const before = this.line.length
    this.line += bytes.toString('latin1', 0, most)
    const end = this.line.indexOf(ending)
    if (end === -1) {
      if (this.line.length > most) throw new Error(`no end of a head or line: ${JSON.stringify(this.line.slice(0, 100))}`)
      this.used = bytes.length
      return null
    }
    const text = this.line.slice(0, end)
    this.used = end + ending.length - before
    this.line = ''
    return text
  }

  readHead (bytes) {
    const head = this.upTo(HEAD_END, bytes, HEAD_MOST)
    if (head !== null) this.beginBody(head)
    return this.used
  }

  beginBody (head) {
    const [statusLine, ...lines] = head.split('\r\n')
    const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
    const { request } = this
    const problem = (text) => new Error(`${text}: ${JSON.stringify(head.slice(0, 500))}`)
    if (headers.size !== lines.length) throw problem('a header twice')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
    if (headers.get('x-id') !== request.id) throw problem('not the response to this request')

    const isAborted = status === 499 && request.steps.some((step) => step.abort !== undefined)
    if (!isAborted && status !== (request.status ?? 200)) throw problem('not the status of this response')
    let parts
    if (isAborted) parts = [json({ id: request.id, aborted: true })]
    else if (request.kind === 'json') parts = [json({ id: request.id, pad: 'x'.repeat(request.size) })]
    else parts = request.steps.map((step) => ({ ...step, mayCut: step.abort !== undefined }))
    this.parts = parts
    this.part = parts.find((part) => part.mayCut)
    const length = parts.reduce((sum, part) => sum + part.length, 0)

    const isChunked = !isAborted && request.framing === 'chunked'
    if ((headers.get('transfer-encoding') === 'chunked') !== isChunked) throw problem('not the framing of this response')
    const promised = headers.get('content-length')
    if (isChunked || status === 204 ? promised !== undefined : promised !== String(length)) throw problem(`not a length of ${length}`)

    const hasBody = request.method !== 'HEAD' && status !== 204 && status !== 304
    this.outcome = isAborted ? 'http: aborted, answered' : `http: ${request.kind} ${request.method}${isChunked ? ' chunked' : ''}`
    this.expected = new Expected(hasBody ? parts : [])
    if (!hasBody || (!isChunked && length === 0)) return this.finish()
    this.remaining = isChunked ? 0 : length
    this.read = isChunked ? this.readChunkHead : this.readBody
  }

  readBody (bytes) {
    const piece = bytes.subarray(0, this.remaining)
    this.takeBody(piece)
    this.remaining -= piece.length
    if (this.remaining === 0) this.finish()
    return piece.length
  }

  readChunkHead (bytes) {
    const line = this.upTo('\r\n', bytes, 20)
    if (line === null) return this.used
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`not the head of a chunk: ${JSON.stringify(line)}`)
    this.remaining = parseInt(line, 16)
    this.read = this.remaining === 0 ? this.readChunkEnd : this.readChunk
    this.isLast = this.remaining === 0
    return this.used
  }

  readChunk (bytes) {
    const piece = bytes.subarray(0, this.remaining)
    this.takeBody(piece)
    this.remaining -= piece.length
    if (this.remaining === 0) this.read = this.readChunkEnd
    return piece.length
  }

  readChunkEnd (bytes) {
    const line = this.upTo('\r\n', bytes, 20)
    if (line === null) return this.used
    if (line !== '') throw new Error(`not the end of a chunk: ${JSON.stringify(line)}`)
    if (this.isLast) this.finish()
    else this.read = this.readChunkHead
    return this.used
  }

  takeBody (bytes) {
    this.expected.take(bytes)
    const step = this.request.steps[0]
    if (step?.change && this.part === undefined && this.expected.progressOf(0) >= step.change.at) {
      this.part = this.parts[0]
      truncate(this.part, step.change)
      this.change(step)
    }
  }

  finish () {
    if (!this.expected.isComplete) throw new Error(`the response ends too early, at ${this.expected}`)
    this.counted(this.outcome)
    this.expected = null
    this.read = this.readHead
    this.index++
    this.next()
  }

  toString () {
    return `response ${this.index} (${JSON.stringify(this.request)}): ${this.expected ?? 'its head'}`
  }
}

function json (value) {
  const text = JSON.stringify(value)
  return { json: text, length: text.length }
}

module.exports = { HttpConversation }
