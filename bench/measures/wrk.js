'use strict'

// The same as throughput.js by another client, which takes the bodies into its own memory.

const { metrics } = require('../lib/metrics')
const { cpuSeconds } = require('../lib/program')
const { ask } = require('../lib/wrk')

/** wrk counts whole seconds. */
const LEAST_S = 1

module.exports = async ({ server, length, seconds, parent }, { file, connections }) => {
  const cpu = () => server.pids.map(cpuSeconds).reduce((sum, each) => sum + each, 0)
  const before = cpu()
  const options = { port: server.port, path: `/${file}`, connections, seconds: Math.max(LEAST_S, Math.round(seconds)), folder: parent }
  const { requests, seconds: elapsed } = await ask(options)
  const counted = { bytes: requests * length, seconds: elapsed, cpu: { total: cpu() - before }, latency: {} }
  const { rate, requests: each, cost } = metrics(counted, length)
  return { rate, requests: each, cost }
}
