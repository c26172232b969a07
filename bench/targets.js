'use strict'

// What this package means to reach, each as one number of one run.

const { middle, times } = require('./results')

const CONNECTIONS = ['1MiB-1', '1MiB', '1MiB-256', '1MiB-2000']

const atLeast = (wanted) => ({ wanted: `at least ${wanted}`, isMet: (value) => value >= wanted })
const atMost = (wanted) => ({ wanted: `at most ${wanted}`, isMet: (value) => value <= wanted })

/** Theirs is so many times ours, and should be at least `factor`. */
const less = (title, caseName, column, other, factor) => ({
  title: `${title}: ${other} / ours`,
  ...atLeast(factor),
  unit: 'x',
  reach: (results, server) => times(results, caseName, column, other, server)
})

/** Ours is so many times theirs, and should be at least `factor`. */
const more = (title, caseName, column, other, factor) => ({
  title: `${title}: ours / ${other}`,
  ...atLeast(factor),
  unit: 'x',
  reach: (results, server) => times(results, caseName, column, server, other)
})

const costs = ['64MiB', '1GiB'].flatMap((file) => [
  less(`CPU a GB, ${file}`, file, 'cost', 'stock', 2.5),
  less(`CPU a GB, ${file}`, file, 'cost', 'nginx', 1),
  less(`CPU a GB, ${file}`, file, 'cost', 'bun', 1),
  {
    title: `CPU a GB, ${file}: ours / floor`,
    ...atMost(1.1),
    unit: 'x',
    reach: (results, server) => times(results, file, 'cost', server, 'floor')
  }
])

const requests = [
  ...[['bun', 1], ['nginx', 1.5], ['stock', 2.5]].map((each) => ['1MiB', ...each]),
  ...[['bun', 1], ['nginx', 1.2], ['stock', 4]].map((each) => ['128KiB', ...each]),
  ...['16KiB', '1KiB'].flatMap((file) => [['bun', 0.9], ['send', 4], ['npm-serve-static', 4], ['sirv', 2]].map((each) => [file, ...each]))
].map(([file, other, factor]) => more(`requests/s, ${file}`, file, 'requests', other, factor))

module.exports = [
  ...costs,
  ...requests,
  {
    title: 'event loop delay p99 with 64 downloads, beyond idle',
    ...atMost(2),
    unit: ' ms',
    reach (results, server) {
      const [busy, idle] = ['delay', 'idleDelay'].map((column) => middle(results, 'loop', server, column))
      return busy === undefined ? undefined : busy - idle
    }
  },
  less('JSON route p99 with 64 downloads', 'loop', 'route', 'stock', 5),
  {
    title: 'hot throughput beside the slow FUSE file',
    ...atLeast(0.95),
    unit: 'x',
    reach: (results, server) => middle(results, 'slow-file', server, 'share')
  },
  less('memory a stalled download', 'stalled', 'beyond', 'stock', 10),
  {
    title: 'memory a stalled download, beyond an idle connection',
    ...atMost(2048),
    digits: 0,
    unit: ' bytes',
    reach: (results, server) => middle(results, 'stalled', server, 'beyond')
  },
  {
    title: 'CPU a GB from 1 to 2,000 connections, most / least',
    ...atMost(1.3),
    unit: 'x',
    reach (results, server) {
      const costs = CONNECTIONS.map((name) => middle(results, name, server, 'cost'))
      return costs.includes(undefined) ? undefined : Math.max(...costs) / Math.min(...costs)
    }
  }
]
