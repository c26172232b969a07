'use strict'

const { addon } = require('./binding')

const own = { copiedBytes: 0, fallbacks: {}, regions: 0, regionBytes: 0 }

/** What JavaScript adds to the counters of the engine. */
const count = {
  copied (bytes) {
    own.copiedBytes += bytes
  },
  /** What a ReadStream handed on as a region. */
  region (bytes) {
    own.regions++
    own.regionBytes += bytes
  },
  fallback (reason) {
    own.fallbacks[reason] = (own.fallbacks[reason] ?? 0) + 1
  }
}

function stats () {
  const native = addon?.counters()
  return {
    transfers: { total: native?.transfers ?? 0, active: native?.active ?? 0 },
    bytes: {
      sendfile: native?.sendfileBytes ?? 0,
      send: native?.sendBytes ?? 0,
      inline: native?.inlineBytes ?? 0,
      reactor: native?.reactorBytes ?? 0,
      copied: own.copiedBytes
    },
    streams: { regions: own.regions, bytes: own.regionBytes },
    wouldBlocks: native?.wouldBlocks ?? 0,
    wakeUps: native?.wakeUps ?? 0,
    fetches: native?.fetches ?? 0,
    fallbacks: { ...own.fallbacks }
  }
}

module.exports = { count, stats }
