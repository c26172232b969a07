'use strict'

// Several ranges of a file as one multipart/byteranges body (RFC 9110, section 14.6).

const { randomBytes } = require('node:crypto')
const { contentRange } = require('./ranges')

/**
 * @param {string} type of the file
 * @param {number} size of the file
 * @param {{ start: number, end: number }[]} ranges
 * @returns {{ type: string, list: object }} the body's Content-Type, and its gather list, as `sendOpened` takes it
 */
function multipartOf (type, size, ranges) {
  const boundary = randomBytes(24).toString('hex') // never what a file has in it
  const parts = ranges.map((range, index) => ({
    before: Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\n` +
      `Content-Range: ${contentRange(size, range)}\r\n\r\n`, 'latin1'),
    offset: range.start,
    length: range.end - range.start + 1
  }))
  const after = Buffer.from(`\r\n--${boundary}--\r\n`)
  const length = parts.reduce((sum, part) => sum + part.before.length + part.length, after.length)
  return { type: `multipart/byteranges; boundary=${boundary}`, list: { parts, after, length } }
}

module.exports = { multipartOf }
