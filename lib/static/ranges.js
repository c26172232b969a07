'use strict'

// Range (RFC 9110, section 14).

const rangeParser = require('range-parser')

/** What asks for more pieces than that, after those that touch were joined, gets the whole. */
const MOST_RANGES = 64

// The list is taken apart before its elements are looked at: one expression for all of it would have each blank match
// in two places, and take time without end to find out that the last element is none.
const LIST = /^bytes=([\d\-, \t]*)$/i
const ELEMENT = /^(?:\d+-\d*|-\d+)?$/

/**
 * @param {string | undefined} header
 * @returns {{ start: number, end: number }[] | null} an empty list where none can be satisfied; null for the whole
 */
function rangesOf (header, size) {
  const elements = LIST.exec(header)?.[1].split(',').map((element) => element.trim())
  if (!elements?.every((element) => ELEMENT.test(element))) return null
  // Two things that range-parser refuses: empty elements, and a suffix longer than the file, which is the file.
  const known = elements.filter((element) => element !== '').map((element) => {
    return element.startsWith('-') && Number(element.slice(1)) > size ? `-${size}` : element
  })
  if (known.length === 0) return null
  const ranges = rangeParser(size, `bytes=${known.join(',')}`, { combine: true })
  if (ranges === -1) return []
  return ranges === -2 || ranges.length > MOST_RANGES ? null : ranges
}

/** Content-Range, of one range or of none. */
function contentRange (size, range) {
  return `bytes ${range === undefined ? '*' : `${range.start}-${range.end}`}/${size}`
}

module.exports = { contentRange, rangesOf }
