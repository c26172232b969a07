'use strict'

// eslint-disable-next-line n/no-unsupported-features/node-builtins -- experimental, and here only for a number
const { createHook } = require('node:async_hooks')
const fs = require('node:fs')
const { createReadStream } = require('sendfile-native')
const { runNow } = require('./run')

/** The implementation that is tested. */
const ours = {
  name: 'sendfile-native',
  createReadStream: createReadStream ?? fs.createReadStream,
  isOurs: createReadStream !== undefined
}

/** Counts the runs in which a stream may hand over regions: `runs`. */
function countRegions () {
  const counted = { runs: 0 }
  const known = new WeakSet()
  createHook({
    init (id, type) {
      const run = type === 'SENDFILESTREAM' && runNow()
      if (!run || known.has(run)) return
      known.add(run)
      counted.runs++
    }
  }).enable()
  return counted
}

module.exports = { countRegions, ours }
