'use strict'

// What is told of a case: its title, how it is written, and whether it is normalised to this package; what is, is told
// with what it lay between.

const BYTES_A_MIB = 1 << 20

module.exports = {
  requests: { title: 'requests/s', digits: 0, isRelative: true },
  rate: { title: 'GB/s', digits: 2, isRelative: true },
  cost: { title: 'CPU s a GB', digits: 3, isRelative: true },
  each: { title: 'CPU µs a request', digits: 1, isRelative: true },
  user: { title: 'of it user', digits: 0, factor: 100, unit: ' %' },
  p50: { title: 'p50 ms', digits: 2 },
  p99: { title: 'p99 ms', digits: 2 },
  utilization: { title: 'event loop busy', digits: 0, factor: 100, unit: ' %' },
  memory: { title: 'peak MiB', digits: 0, factor: 1 / BYTES_A_MIB },
  delay: { title: 'loop delay p99 ms', digits: 2 },
  longest: { title: 'max ms', digits: 1 },
  idleDelay: { title: 'idle ms', digits: 2 },
  route: { title: 'JSON p99 ms', digits: 2, isRelative: true },
  idleRoute: { title: 'idle ms', digits: 2 },
  routeP50: { title: 'JSON p50 ms', digits: 2 },
  share: { title: 'of its throughput alone', digits: 2, unit: 'x' },
  alone: { title: 'alone GB/s', digits: 2 },
  beside: { title: 'beside MB/s', digits: 1 },
  beyond: { title: 'resident bytes beyond idle', digits: 0, isRelative: true },
  heapBeyond: { title: 'heap bytes beyond idle', digits: 0 },
  stalled: { title: 'resident bytes', digits: 0 },
  idle: { title: 'idle connection', digits: 0 },
  connections: { title: 'connections', digits: 0 }
}
