'use strict'

// The conditions of a request (RFC 9110, section 13), in the order that section 13.2.2 gives.

const TAGS = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
const NO_CACHE = /(?:^|,)\s*no-cache\s*(?:,|$)/i

/** A date in one of the three forms of RFC 9110, section 5.6.7; anything else is none. */
const DATE = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$|^\w+, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT$/
const DATE_OF_C = /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/

/**
 * Whether a request is conditional at all.
 * @param {object} headers of the request
 */
function isConditional (headers) {
  return headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined ||
    headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined
}

/**
 * @param {object} headers of the request
 * @param {{ etag?: string, lastModified?: string }} validators of the response
 * @returns {number} 412, 304, or 0 where they hold
 */
function unmetCondition (headers, { etag, lastModified }) {
  const modified = timeOf(lastModified)
  const match = headers['if-match']
  if (match !== undefined) {
    if (!isListed(match, etag, isSame)) return 412
  } else if (modified > timeOf(headers['if-unmodified-since'])) {
    return 412
  }
  // As send does: who reloads wants the file.
  if (NO_CACHE.test(headers['cache-control'])) return 0
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined) return isListed(noneMatch, etag, isEquivalent) ? 304 : 0
  return modified <= timeOf(headers['if-modified-since']) ? 304 : 0
}

/** Whether If-Range, if there is one, means the very bytes that would be sent. */
function isRangeFresh (ifRange, { etag, lastModified }) {
  if (ifRange === undefined) return true
  if (ifRange.includes('"')) return etag !== undefined && isSame(ifRange, etag)
  return timeOf(ifRange) === timeOf(lastModified)
}

function isListed (list, etag, matches) {
  if (list.trim() === '*') return true
  return etag !== undefined && (list.match(TAGS) ?? []).some((tag) => matches(tag, etag))
}

/** Strong comparison: a weak tag does not say that the bytes are the same. */
function isSame (tag, other) {
  return tag === other && !tag.startsWith('W/')
}

function isEquivalent (tag, other) {
  return tag.replace(/^W\//, '') === other.replace(/^W\//, '')
}

/** @returns {number} NaN, which is neither before nor after anything, for what is no date */
function timeOf (date) {
  if (DATE.test(date)) return Date.parse(date)
  return DATE_OF_C.test(date) ? Date.parse(`${date} GMT`) : NaN
}

module.exports = { isConditional, isRangeFresh, unmetCondition }
