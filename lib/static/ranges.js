'use strict'

// Range (RFC 9110, section 14).

const rangeParser = require('range-parser')

/** What asks for more pieces than that, after those that touch were joined, gets the whole. */
const MOST_RANGES = 64

/**
 * @param {string | undefined} header
 * @returns {{ start: number, end: number }[] | null} an empty list where none can be satisfied; null for the whole
 */
function rangesOf (header, size) {
  if (header === undefined || !/^ *bytes *=/i.test(header)) return null
  // A suffix that is longer than the file is the file: range-parser refuses it.
  const clamped = header.replace(/(^|[=,])(\s*)-\s*(\d+)/g, (all, before, space, length) => {
    return Number(length) > size ? `${before}-${size}` : all
  })
  const ranges = rangeParser(size, clamped, { combine: true })
  if (ranges === -1) return []
  return ranges === -2 || ranges.length > MOST_RANGES ? null : ranges
}

/** Content-Range, of one range or of none. */
function contentRange (size, range) {
  return `bytes ${range === undefined ? '*' : `${range.start}-${range.end}`}/${size}`
}

module.exports = { contentRange, rangesOf }
