'use strict'

// What downloads do to the event loop that sends them: the delay of its timers, and another route's answers.

const { load } = require('../lib/load')
const { metrics } = require('../lib/metrics')

async function route ({ port, seconds, warm }) {
  const asking = { port, path: '/json', connections: 4, pause: 5, warm, seconds }
  const { latency } = await load({ ...asking, isAnywhere: true }) // not behind the downloads' client
  return latency
}

/** Both meanwhile. */
async function during (server, run) {
  await server.ask?.({ about: 'begin', withDelay: true })
  const result = await run()
  const { delay, utilization } = await server.ask?.({ about: 'end' }) ?? {}
  return { result, delay: delay?.p99, utilization }
}

module.exports = async ({ server, length, seconds, warm }, { file, connections }) => {
  const ask = () => route({ port: server.port, seconds, warm })
  const idle = await during(server, ask)
  const downloads = { port: server.port, path: `/${file}`, connections, expect: length, warm, seconds, pid: server.pids }
  const busy = await during(server, () => Promise.all([ask(), load({ ...downloads, isModest: true })]))
  const [{ p50, p99 }, counted] = busy.result
  const { rate, cost } = metrics(counted, length)
  return {
    idleDelay: idle.delay,
    delay: busy.delay,
    utilization: busy.utilization,
    idleRoute: idle.result.p99,
    routeP50: p50,
    route: p99,
    rate,
    cost
  }
}
