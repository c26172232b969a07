'use strict'

// The server, a process of its own, on several addresses. Argument: the folder of the files.

const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { stats, transferFile } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')

const [folder, addresses] = process.argv.slice(2)

/** How a connection may end that its client has left, or `closeAllConnections()` has ended. */
const LEFT = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'])

let accepted = 0
let connections = 0

function failed (err) {
  process.send?.({ failure: err?.stack ?? String(err) })
}
for (const event of ['uncaughtException', 'unhandledRejection', 'warning']) process.on(event, failed)

const serve = serveStatic(folder)

function respond (req, res) {
  const [, way, name] = req.url.split('/')
  req.url = `/${name}`
  if (way === 's') {
    serve(req, res, (err) => {
      if (!LEFT.has(err?.code)) failed(err ?? new Error(`${name} was not there`))
      res.destroy()
    })
  } else {
    transferFile(res, path.join(folder, name)).catch((err) => { if (!LEFT.has(err.code)) failed(err) })
  }
}

async function listen (host) {
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, respond)
  server.on('connection', (socket) => {
    accepted++
    connections++
    socket.on('close', () => connections--)
  })
  server.listen({ port: 0, host, backlog: 4096 })
  await once(server, 'listening')
  return server
}

function condition () {
  globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  const open = fs.readdirSync('/proc/self/fd').length
  return { rss, heapUsed, external, open, accepted, connections, active: stats().transfers.active }
}

async function main () {
  const servers = await Promise.all(addresses.split(',').map(listen))
  let closed = 0
  const commands = {
    condition: () => process.send({ condition: condition() }),
    close: () => {
      for (const server of servers) server.close(() => { closed++ })
      process.send({ closing: { connections, closed } })
    },
    end: () => { // and then the process ends by itself
      const before = connections
      const began = performance.now()
      for (const server of servers) server.closeAllConnections()
      const took = performance.now() - began
      process.send({ ended: { connections: before, took } }, () => process.disconnect())
    }
  }
  process.on('message', (name) => commands[name]())
  process.send({ places: servers.map((server) => `${server.address().address}:${server.address().port}`) })
}

main()
