'use strict'

// Runs a server of bench/servers, and tells its parent about its own event loop and memory:
//   node --expose-gc bench/lib/node-host.js <server> <folder>

const { monitorEventLoopDelay, performance } = require('node:perf_hooks')

const BACKLOG = 4096
const RESOLUTION_MS = 1

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
let since

/** Of the event loop, from `begin` to `end`; its delay costs a timer, and is measured when it is wanted. */
const answers = {
  begin ({ withDelay }) {
    delay.reset()
    if (withDelay) delay.enable()
    since = performance.eventLoopUtilization()
    return {}
  },
  end () {
    delay.disable()
    const [p50, p99, max] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => ns / 1e6)
    return { delay: { p50, p99, max }, utilization: performance.eventLoopUtilization(since).utilization }
  },
  memory () {
    for (let i = 0; i < 4; i++) global.gc()
    const { heapUsed, external } = process.memoryUsage()
    return { heap: heapUsed, external }
  }
}

async function main () {
  const [file, folder] = process.argv.slice(2)
  const server = await require(file).serve(folder)
  Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 })
  server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => console.log(`on port ${server.address().port}`))
  process.on('message', (message) => process.send(answers[message.about](message)))
  process.on('disconnect', () => process.exit())
}

main()
