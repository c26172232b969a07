'use strict'

// A folder served by as many processes as there are CPUs, at one port. One that dies is replaced, each time a little
// later, and no more than five in a minute. SIGTERM, or Ctrl-C, lets the downloads under way finish; the same again
// ends them.
//   node examples/cluster.js <port> <folder>     (HOST=0.0.0.0 for other machines)

const cluster = require('node:cluster')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const { serveStatic } = require('sendfile-native/static')

const MOST_DEATHS = 5 // in a minute
const DELAY_MS = 200 // for each of them

const [port, folder, ...rest] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(port) || port > 65535 || !folder || rest.length > 0) {
  console.error('usage: cluster <port> <folder>')
  process.exit(2)
}
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(`${folder} is no folder`)
  process.exit(2)
}
const root = path.resolve(folder)
const host = process.env.HOST ?? '127.0.0.1'

if (cluster.isPrimary) startWorkers()
else serve()

function startWorkers () {
  const count = os.cpus().length
  let listensAt = null
  let deaths = []
  let isEnding = false

  const end = () => {
    isEnding = true
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM')
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, end)

  cluster.on('listening', (worker, address) => {
    console.log(`worker ${worker.process.pid} serves ${root} at http://${host}:${address.port}/`)
    // The first has found out whether there is a port to listen at.
    for (let i = 1; listensAt === null && !isEnding && i < count; i++) cluster.fork()
    listensAt = address.port
  })
  cluster.on('exit', ({ process: { pid } }, code, signal) => {
    if (isEnding) return
    console.error(`worker ${pid} has ended: ${signal ?? code}`)
    const now = performance.now()
    deaths = [...deaths.filter((time) => time > now - 60_000), now]
    if (listensAt === null || deaths.length > MOST_DEATHS) {
      process.exitCode = 1
      return end()
    }
    setTimeout(() => { if (!isEnding) cluster.fork() }, DELAY_MS * deaths.length)
  })
  cluster.fork()
}

function serve () {
  const serveFiles = serveStatic(root)
  let underWay = 0
  let isEnding = false

  const server = http.createServer((req, res) => {
    underWay++
    res.once('close', () => {
      underWay--
      if (isEnding) closeUnused()
    })
    serveFiles(req, res)
  })
  const closeUnused = () => {
    if (underWay === 0) server.closeAllConnections()
    else server.closeIdleConnections()
  }
  process.on('SIGINT', () => {}) // of a terminal, for all of its processes: the primary passes it on
  process.on('SIGTERM', () => {
    if (isEnding) return server.closeAllConnections()
    isEnding = true
    server.close(() => cluster.worker.disconnect())
    closeUnused()
  })
  server.on('error', (err) => { console.error(err.message); process.exit(1) })
  server.listen(port, host)
}
