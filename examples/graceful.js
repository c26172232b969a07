'use strict'

// A folder whose server ends gracefully: at SIGTERM or Ctrl-C it takes no more connections, closes those that are idle,
// and lets the downloads under way finish, for so many milliseconds at most. The same again ends them at once.
//   node examples/graceful.js <port> <folder> <grace>     (HOST=0.0.0.0 for other machines)

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { serveStatic } = require('sendfile-native/static')

const [port, folder, grace, ...rest] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(port) || port > 65535 || !folder || !/^\d{1,9}$/.test(grace) || rest.length > 0) {
  console.error('usage: graceful <port> <folder> <grace>')
  process.exit(2)
}
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(`${folder} is no folder`)
  process.exit(2)
}
const root = path.resolve(folder)
const host = process.env.HOST ?? '127.0.0.1'

const serve = serveStatic(root)
let underWay = 0
let isEnding = false

const server = http.createServer((req, res) => {
  underWay++
  res.once('close', () => {
    underWay--
    if (isEnding) closeUnused()
  })
  if (isEnding) res.setHeader('Connection', 'close') // asked for on a connection that was kept
  serve(req, res)
})

function closeUnused () {
  // Those that were never used are not idle for every Node: they are closed with the last download.
  if (underWay === 0) server.closeAllConnections()
  else server.closeIdleConnections()
}

function end () {
  if (isEnding) return server.closeAllConnections()
  isEnding = true
  server.close(() => console.log('Ended'))
  console.log(`Waiting for ${underWay} under way`)
  closeUnused()
  setTimeout(() => {
    console.error(`${underWay} broken off`)
    server.closeAllConnections()
  }, Number(grace)).unref() // when everything is behind, nobody waits for it
}

server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
server.listen(port, host, () => {
  console.log(`Serving ${root} at http://${host}:${server.address().port}/`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, end)
})
