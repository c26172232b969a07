'use strict'

// What the load generator counted, as the report names it.

const GB = 1e9
const MS = 1e3

/** @param {number} bytes of one response */
function metrics ({ bytes, seconds, cpu, latency }, length) {
  return {
    rate: bytes / GB / seconds,
    requests: bytes / length / seconds,
    cost: cpu.total / (bytes / GB),
    each: cpu.total * MS * MS / (bytes / length),
    user: cpu.user / (cpu.user + cpu.system || 1),
    p50: latency.p50,
    p99: latency.p99
  }
}

module.exports = { metrics }
