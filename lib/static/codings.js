'use strict'

// Files that lie beside others, compressed beforehand.

const Negotiator = require('negotiator')

/** What each adds to the name, the preferred first. */
const CODINGS = Object.freeze({ br: '.br', zstd: '.zst', gzip: '.gz' })

/**
 * @param {string[]} available the codings to look for, the preferred first
 * @returns {string[]} those that the client prefers to the file as it is, or takes as well
 */
function acceptedCodings (req, available) {
  const accepted = new Negotiator(req).encodings([...available, 'identity'], { preferred: available })
  const end = accepted.indexOf('identity')
  return end < 0 ? accepted : accepted.slice(0, end)
}

module.exports = { CODINGS, acceptedCodings }
