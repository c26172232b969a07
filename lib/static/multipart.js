'use strict'

// Several ranges of a file as one multipart/byteranges body (RFC 9110, section 14.6): bytes and regions in one list.

const { randomBytes } = require('node:crypto')
const { sendList } = require('../transfer-file')
const { contentRange } = require('./ranges')

/**
 * @param {{ start: number, end: number }[]} ranges
 * @param {(err: Error | null, result?: object) => void} done
 */
function sendParts (res, entry, file, ranges, done) {
  // Never what a file has in it.
  const boundary = randomBytes(24).toString('hex')
  const type = res.getHeader('Content-Type')
  const parts = ranges.map((range, index) => ({
    before: Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\n` +
      `Content-Range: ${contentRange(file.size, range)}\r\n\r\n`, 'latin1'),
    offset: range.start,
    length: range.end - range.start + 1
  }))
  const after = Buffer.from(`\r\n--${boundary}--\r\n`)
  const total = parts.reduce((sum, { before, length }) => sum + before.length + length, after.length)
  res.statusCode = 206
  res.setHeader('Content-Type', `multipart/byteranges; boundary=${boundary}`)
  res.setHeader('Content-Length', total)
  sendList(res, entry.path, file, { parts, after, length: total }, done)
}

module.exports = { sendParts }
