'use strict'

// One request: answered by what is shared, watched, and told in an access line.

const { performance } = require('node:perf_hooks')
const createError = require('http-errors')
const { isClientGone } = require('../static/client-gone')
const { answerError } = require('../static/error-page')
const { servingError } = require('../static/opening')
const { accessLine, clientOf } = require('./access-line')
const { onEnd } = require('./connection-end')

class Exchange {
  constructor (req, res) {
    this.req = req
    this.res = res
    this.time = new Date()
    this.began = performance.now()
    this.client = clientOf(req.socket.remoteAddress)
    /** Of the connection, before this response. */
    this.bytesBefore = req.socket.bytesWritten
    this.closed = new Promise((resolve) => onEnd(req, res, resolve))
  }

  /**
   * @param {{ answer(req, res): Promise<Served | undefined> }} share
   * @param {string | null} refusal why it may not be answered
   * @returns {Promise<string>} its access line, when the answer is behind; never rejects
   */
  async run (share, refusal) {
    const { req, res } = this
    let failure = null
    let served
    try {
      if (refusal !== null) throw createError(403)
      if (req.method !== 'GET' && req.method !== 'HEAD') throw createError(405, { headers: { Allow: 'GET, HEAD' } })
      served = await share.answer(req, res)
    } catch (err) {
      failure = err
      if (res.headersSent) res.destroy() // the client must not take what it has for the whole
      else if (!isClientGone(err)) answerError(res, servingError(err))
    }
    await this.closed
    return this.line(this.bytesSent(served, failure), refusal ?? this.remark(served, failure))
  }

  bytesSent (served, failure) {
    const bytes = served?.bytesSent ?? failure?.bytesSent
    if (bytes !== undefined) return bytes
    // A page that says why there is no file.
    const { req, res } = this
    return res.writableFinished && req.method !== 'HEAD' ? Number(res.getHeader('Content-Length') ?? 0) : 0
  }

  remark (served, failure) {
    if (failure !== null && !isClientGone(failure) && !(failure.statusCode < 500)) {
      return `failed: ${failure.code ?? failure.message}`
    }
    if (!this.res.writableFinished) return 'aborted'
    return served?.reason ? `copied: ${served.reason}` : null
  }

  line (bytesSent, remark) {
    const { client, req: { method, url: target }, res, time } = this
    const status = res.headersSent ? res.statusCode : null
    return accessLine({ time, client, method, target, status, bytesSent, duration: this.duration, remark })
  }

  get duration () {
    return performance.now() - this.began
  }

  /** Of a body that is a file, or a part of it; null where it is not known, or there is none. */
  get total () {
    const { req, res } = this
    const length = res.statusCode < 300 && req.method === 'GET' ? res.getHeader('Content-Length') : undefined
    return length === undefined ? null : Number(length)
  }

  /** Bytes of the response so far, head included. */
  get bytesWritten () {
    return (this.req.socket.bytesWritten ?? this.bytesBefore) - this.bytesBefore
  }
}

module.exports = { Exchange }
