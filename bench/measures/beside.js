'use strict'

// A hot file, as fast as it is sent: without, and with others beside.

const { load } = require('../lib/load')
const { metrics } = require('../lib/metrics')

module.exports = async ({ server, length, seconds, warm }, { file, connections, beside }) => {
  const hot = { port: server.port, path: `/${file}`, connections, expect: length, warm, seconds, pid: server.pids }
  const alone = metrics(await load(hot), length)
  const others = load({ port: server.port, seconds: 2 * warm + seconds, ...beside })
  await new Promise((resolve) => setTimeout(resolve, warm * 1000))
  const [counted, { bytes }] = await Promise.all([load(hot), others])
  const together = metrics(counted, length)
  const besideRate = bytes / 1e6 / (2 * warm + seconds)
  return { ...together, alone: alone.rate, share: together.rate / alone.rate, beside: besideRate }
}
