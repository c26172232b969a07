'use strict'

// One request that a file answers: what the head says, which part of the file is the body, and how it leaves.

const fs = require('node:fs')
const { inspect } = require('node:util')
const createError = require('http-errors')
const vary = require('vary')
const { isConditional, isRangeFresh, unmetCondition } = require('./conditions')
const { multipartOf } = require('./multipart')
const { contentRange, rangesOf } = require('./ranges')
const { answerAtOnce } = require('../answer-at-once')
const { channels } = require('../file-transfer')
const { isUsual } = require('../message-guard')
const { sendOpened } = require('../transfer-file')

/** What the head may no longer say of a body that is not sent. */
const OF_CONTENT = ['Content-Encoding', 'Content-Language', 'Content-Length', 'Content-Range', 'Content-Type']

class Exchange {
  /**
   * @param {(err: Error | null, served?: Served) => void} done called once: an error while the response is untouched,
   *   or of the transfer
   */
  constructor (req, res, settings, done) {
    this.req = req
    this.res = res
    this.settings = settings
    this.done = done
    /** What is sent, from when it is open. */
    this.entry = null
    this.file = null
    /** The fields that others have set, in small letters: as a rule few, or none. */
    this.named = null
    this.isDone = false
  }

  /** Answers with an open file, which it closes. */
  answer (entry, file) {
    this.entry = entry
    this.file = file
    try {
      this.begin()
    } catch (err) { // of who was told, or of a setter that somebody gave to all objects
      file.close()
      throw err
    }
  }

  begin () {
    const { file, res, settings: { setHeaders } } = this
    if (isGone(res)) {
      this.fail(createError(500, 'The response was closed before its file was open', { code: 'ERR_STREAM_PREMATURE_CLOSE' }))
    } else if (res.headersSent) {
      this.fail(createError(500, 'Can\'t set headers after they are sent.', { code: 'ERR_HTTP_HEADERS_SENT' }))
    } else if (setHeaders === undefined) {
      this.attempt()
    } else if (file.isAtHand) {
      this.attempt(fs.fstatSync(file.fd))
    } else {
      fs.fstat(file.fd, (err, stat) => err ? this.fail(err) : this.attempt(stat))
    }
  }

  attempt (stat) {
    try {
      if (stat !== undefined) this.settings.setHeaders(this.res, this.entry.path, stat)
      this.respond()
    } catch (err) { // of setHeaders, or of a method that was replaced
      if (this.isDone) throw err // of who was told
      this.fail(err || createError(500, `${inspect(err)} was thrown`))
    }
  }

  /** Throws what the request asks for in vain: not here is anybody told, who may throw as well. */
  respond () {
    const { entry, file, req, res } = this
    const { headers } = req
    this.named = res.getHeaderNames()
    entry.describe(file)
    const validators = this.validators()
    if (isConditional(headers)) {
      const status = unmetCondition(headers, validators)
      if (status === 412) throw createError(412)
      if (status === 304 && isCachable(res.statusCode)) return this.notModified(validators)
    }
    let ranges = null
    if (headers.range !== undefined && this.settings.acceptRanges && req.method === 'GET' && res.statusCode === 200 &&
      isRangeFresh(headers['if-range'], validators)) {
      ranges = rangesOf(headers.range, file.size)
      if (ranges?.length === 0) {
        throw createError(416, { headers: { 'Content-Range': contentRange(file.size) } })
      }
    }
    this.setHead(validators)
    if (ranges === null) this.sendPart(0, file.size)
    else if (ranges.length === 1) this.sendRange(ranges[0])
    else this.sendRanges(ranges)
  }

  /** The response's own, where somebody has set them; then those of the file. */
  validators () {
    const { entry, settings } = this
    return {
      etag: this.field('etag') ?? (settings.etag ? entry.etag : undefined),
      lastModified: this.field('last-modified') ?? (settings.lastModified ? entry.lastModified : undefined)
    }
  }

  /** One that others have set: it may be a number, too. */
  field (name) {
    return this.named.includes(name) ? String(this.res.getHeader(name)) : undefined
  }

  /** What a head says of the file, whichever part of it is sent. */
  setHead ({ etag, lastModified }) {
    const { entry, named, res, settings } = this
    if (settings.acceptRanges && !named.includes('accept-ranges')) res.setHeader('Accept-Ranges', 'bytes')
    if (settings.cacheControl !== null && !named.includes('cache-control')) {
      res.setHeader('Cache-Control', settings.cacheControl)
    }
    if (lastModified !== undefined) res.setHeader('Last-Modified', lastModified)
    if (etag !== undefined) res.setHeader('ETag', etag)
    if (settings.codings.length > 0) vary(res, 'Accept-Encoding')
    if (entry.coding !== null) res.setHeader('Content-Encoding', entry.coding)
    if (!named.includes('content-type')) res.setHeader('Content-Type', entry.type)
  }

  notModified (validators) {
    const { res } = this
    this.setHead(validators)
    for (const name of OF_CONTENT) res.removeHeader(name)
    res.statusCode = 304
    this.endWithoutBody()
  }

  sendRange (range) {
    const { file, res } = this
    res.statusCode = 206
    res.setHeader('Content-Range', contentRange(file.size, range))
    this.sendPart(range.start, range.end - range.start + 1)
  }

  sendPart (start, length) {
    const { file, req, res } = this
    this.promise(length)
    if (req.method === 'HEAD' || length === 0) return this.endWithoutBody()
    const sent = isUsual(res) && !isWatched() ? answerAtOnce(res, file, start, length, true) : 0
    if (sent < length) return this.sendRest({ start: start + sent, end: start + length - 1 }, sent)
    res.end()
    this.succeed(length, null)
  }

  sendRanges (ranges) {
    const { file, res } = this
    const { type, list } = multipartOf(res.getHeader('Content-Type'), file.size, ranges)
    res.statusCode = 206
    res.setHeader('Content-Type', type)
    this.promise(list.length)
    this.sendRest({ list }, 0)
  }

  /** How long the body is, unless somebody has chosen another framing. */
  promise (length) {
    const { named, res } = this
    if (!named.includes('transfer-encoding') && !named.includes('trailer')) res.setHeader('Content-Length', length)
  }

  sendRest (part, sent) {
    sendOpened(this.res, this.entry.path, this.file, part, (err, result) => {
      if (err) this.tell(withBytesSent(err, sent))
      else this.succeed(sent + result.bytesSent, result.reason)
    })
  }

  endWithoutBody () {
    this.file.close()
    this.res.end()
    this.succeed(0, null)
  }

  succeed (bytesSent, reason) {
    this.tell(null, { statusCode: this.res.statusCode, bytesSent, zeroCopy: reason === null, reason })
  }

  fail (err) {
    this.file.close()
    this.tell(err)
  }

  tell (err, served) {
    this.isDone = true
    this.done(err, served)
  }
}

/** Whether somebody wants to be told of each transfer. */
function isWatched () {
  return channels.start.hasSubscribers || channels.end.hasSubscribers
}

function withBytesSent (err, before) {
  err.bytesSent = (err.bytesSent ?? 0) + before
  return err
}

function isCachable (status) {
  return status >= 200 && status < 300
}

/** Whether nobody is there any more to take an answer. */
function isGone (res) {
  return res.destroyed || res.writableEnded || res.req?.socket?.destroyed === true
}

module.exports = { Exchange }
