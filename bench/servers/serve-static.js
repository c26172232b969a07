'use strict'

const http = require('node:http')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

const MODULE = 'sendfile-native/static'

module.exports = nodePeer(__filename, {
  title: '`serveStatic(root)`',
  needs: [MODULE],
  serve (folder) {
    const { serveStatic } = require(MODULE)
    const handler = serveStatic(folder)
    return http.createServer(withJson((req, res) => handler(req, res, (err) => res.writeHead(err ? 500 : 404).end())))
  }
})
