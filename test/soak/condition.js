'use strict'

// What a process holds: all of it has to be back at the end.

const { stats } = require('sendfile-native')
const { descriptors } = require('../helpers')
const { unsettled } = require('./send')

function condition () {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  // Inode numbers of sockets and pipes are of no interest, and only in the way of comparing.
  const open = [...descriptors().values()].map((target) => target.replace(/:\[\d+\]$/, '')).sort()
  return {
    descriptors: open.filter((target) => !/^\/proc\/\d+\/fd$/.test(target)),
    rss,
    heapUsed,
    external,
    stats: stats(),
    unsettled: [...unsettled].map(({ step, since }) => ({ step, ms: Date.now() - since }))
  }
}

module.exports = { condition }
