'use strict'

// One file, as fast as it is sent.

const { load } = require('../lib/load')
const { metrics } = require('../lib/metrics')
const { rangeHeader } = require('../lib/probe')

module.exports = async ({ server, length, seconds, warm }, { file, connections, pipeline, ranges, status }) => {
  await server.ask?.({ about: 'begin' })
  const range = rangeHeader(ranges)
  const counted = await load({
    port: server.port,
    path: `/${file}`,
    connections,
    pipeline,
    header: range && `Range: ${range.Range}`,
    status,
    expect: length,
    warm,
    seconds,
    pid: server.pids
  })
  const { utilization } = await server.ask?.({ about: 'end' }) ?? {}
  return { ...metrics(counted, length), utilization }
}
