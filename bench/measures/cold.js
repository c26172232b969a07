'use strict'

// Files of which nothing is in memory, each once.

const { COLD_BYTES, cold } = require('../lib/files')
const { load } = require('../lib/load')
const { metrics } = require('../lib/metrics')

const TOO_LONG_S = 60

module.exports = async ({ server, folder }, { connections }) => {
  const names = cold(folder)
  await server.ask?.({ about: 'begin', withDelay: true })
  const counted = await load({
    port: server.port,
    path: names.map((name) => `/${name}`),
    connections,
    requests: names.length,
    expect: COLD_BYTES,
    seconds: TOO_LONG_S,
    pid: server.pids
  })
  const { delay } = await server.ask?.({ about: 'end' }) ?? {}
  return { ...metrics(counted, COLD_BYTES), delay: delay?.p99, longest: delay?.max }
}
