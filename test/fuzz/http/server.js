'use strict'

// serveStatic alone, as test/fuzz/http asks it: each answer says which request it was taken for.

const http = require('node:http')
const { stats } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')
const { descriptors } = require('../../helpers')

const handler = serveStatic(process.argv[2], { dotfiles: 'allow', fallthrough: false })
const server = http.createServer((req, res) => {
  res.setHeader('X-Method', req.method)
  res.setHeader('X-Target', req.url)
  handler(req, res)
})
server.keepAliveTimeout = 30_000
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))

process.on('message', () => {
  server.getConnections((err, connections) => {
    process.send({ connections: err ? -1 : connections, descriptors: descriptors().size, active: stats().transfers.active })
  })
})
process.on('disconnect', () => process.exit())
