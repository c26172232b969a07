'use strict'

// What is measured, in the order of the report. `columns` are those of bench/columns.js; the first one is what the case
// is about. `quick` cases are measured by `--quick` too.
// Cases that have a `short` title are in the summary.

const { isInstalled } = require('./lib/wrk')

const measures = {
  beside: require('./measures/beside'),
  cold: require('./measures/cold'),
  loop: require('./measures/loop'),
  stalled: require('./measures/stalled'),
  throughput: require('./measures/throughput'),
  wrk: require('./measures/wrk')
}

const RATE = ['rate', 'cost', 'user', 'p50', 'p99', 'utilization', 'memory']
const REQUESTS = ['requests', 'each', 'user', 'p50', 'p99', 'utilization', 'memory']
const FILES = ['1KiB', '16KiB', '128KiB', '1MiB', '64MiB', '1GiB']
const QUICK_FILES = ['16KiB', '128KiB', '1MiB', '64MiB']
/** So many connections take their time to be served for the first time. */
const RAMP_S = 0.8
const SMALL = ['1KiB', '16KiB', '128KiB']

/** Of which few are sent in a second. */
const LARGE = ['64MiB', '1GiB']

function columnsOf (file) {
  if (SMALL.includes(file)) return REQUESTS
  return LARGE.includes(file) ? RATE : ['requests', ...RATE]
}

/** How a file's name is read. */
const spelled = (file) => file.replace(/(\d+)/, '$1 ')

const bySize = FILES.map((file) => ({
  name: file,
  title: `${spelled(file)}, 16 connections`,
  kind: 'throughput',
  file,
  connections: 16,
  columns: columnsOf(file),
  short: spelled(file),
  quick: QUICK_FILES.includes(file)
}))

const byConnections = [1, 256, 2000].map((connections) => ({
  name: `1MiB-${connections}`,
  title: `1 MiB, ${connections.toLocaleString('en')} connection${connections > 1 ? 's' : ''}`,
  kind: 'throughput',
  file: '1MiB',
  connections,
  warm: connections === 2000 ? RAMP_S : 0,
  columns: RATE,
  short: connections === 2000 ? '1 MiB, 2,000 connections' : undefined
}))

const others = [
  {
    name: 'pipelined',
    title: '1 KiB, 16 connections, 8 requests on their way on each',
    kind: 'throughput',
    file: '1KiB',
    connections: 16,
    pipeline: 8,
    columns: REQUESTS
  },
  {
    name: 'ranges',
    title: 'Four ranges of 64 KiB of one file, multipart/byteranges, 16 connections',
    kind: 'throughput',
    file: '64MiB',
    ranges: [0, 1, 2, 3].map((i) => [i << 24, (i << 24) + (64 << 10) - 1]),
    status: 206,
    connections: 16,
    columns: REQUESTS
  },
  {
    name: 'wrk',
    title: '1 MiB, 16 connections, by wrk',
    kind: 'wrk',
    missing: () => isInstalled() ? '' : 'there is no wrk',
    file: '1MiB',
    connections: 16,
    columns: ['requests', 'rate', 'cost', 'memory']
  },
  {
    name: 'loop',
    title: '64 downloads of 64 MiB beside a JSON route, 4 connections of which ask 5 ms after each answer',
    kind: 'loop',
    file: '64MiB',
    connections: 64,
    alsoAsked: 'json',
    columns: ['delay', 'idleDelay', 'route', 'idleRoute', 'routeP50', 'utilization', 'rate', 'cost'],
    quick: true
  },
  {
    name: 'slow-readers',
    title: '1 MiB, 16 connections, beside 200 which take 64 KiB a second each',
    kind: 'beside',
    file: '1MiB',
    connections: 16,
    beside: { path: '/64MiB', connections: 200, rate: 64 << 10 },
    files: ['64MiB'],
    columns: ['share', 'rate', 'alone', 'beside', 'p99', 'memory']
  },
  {
    name: 'slow-file',
    title: '1 MiB, 16 connections, beside 8 downloads from a FUSE file system that takes 100 ms a read',
    kind: 'beside',
    file: '1MiB',
    connections: 16,
    needsSlowFiles: true,
    columns: ['share', 'rate', 'alone', 'beside', 'p99', 'memory'],
    quick: true
  },
  {
    name: 'cold',
    title: '16 files of 8 MiB, nothing of them in memory, each once, 8 connections',
    kind: 'cold',
    needsColdFiles: true,
    connections: 8,
    columns: ['rate', 'cost', 'p50', 'delay', 'longest', 'memory']
  },
  {
    name: 'stalled',
    title: '5,000 downloads of 64 MiB, or as many as there are descriptors for, of which nobody takes anything',
    kind: 'stalled',
    file: '64MiB',
    files: ['1KiB'],
    small: '1KiB',
    connections: 5000,
    rounds: 1,
    ownServers: true,
    columns: ['beyond', 'heapBeyond', 'stalled', 'idle', 'connections']
  }
]

const cases = [...bySize, ...byConnections, ...others].map((each) => ({ ...each, measure: measures[each.kind] }))

/**
 * @param {{ only?: string[], isQuick?: boolean }} wanted
 */
function select ({ only, isQuick }) {
  const unknown = only?.filter((name) => !cases.some((each) => each.name === name)) ?? []
  if (unknown.length) throw new Error(`there is no case ${unknown.join(', ')}: ${cases.map(({ name }) => name).join(', ')}`)
  return cases.filter(({ name, quick }) => only ? only.includes(name) : quick || !isQuick)
}

module.exports = { select }
