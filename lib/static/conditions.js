'use strict'

// The conditions of a request (RFC 9110, section 13), in the order that section 13.2.2 gives.

const fresh = require('fresh')

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
  const match = headers['if-match']
  if (match !== undefined) {
    if (!matches(match, etag)) return 412
  } else if (isAfter(lastModified, headers['if-unmodified-since'])) {
    return 412
  }
  return fresh(headers, { etag, 'last-modified': lastModified }) ? 304 : 0
}

/** Weak comparison, as of serve-static: all our own tags are weak, and If-Match would never hold. */
function matches (list, etag) {
  if (list.trim() === '*') return true
  return etag !== undefined && list.split(',').some((tag) => opaque(tag) === opaque(etag))
}

function opaque (tag) {
  return tag.trim().replace(/^W\//, '')
}

function isAfter (lastModified, since) {
  const limit = Date.parse(since)
  if (Number.isNaN(limit)) return false
  return !(Date.parse(lastModified) <= limit)
}

/** Whether If-Range, if there is one, means what is sent. */
function isRangeFresh (ifRange, { etag, lastModified }) {
  if (ifRange === undefined) return true
  if (ifRange.includes('"')) return etag !== undefined && opaque(ifRange) === opaque(etag)
  return Date.parse(lastModified) <= Date.parse(ifRange)
}

module.exports = { isConditional, isRangeFresh, unmetCondition }
