'use strict'

const http = require('node:http')
const path = require('node:path')
const { transferFile } = require('sendfile-native')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: '`transferFile(res, path)`',
  serve: (folder) => http.createServer(withJson((req, res) => {
    transferFile(res, path.join(folder, req.url)).catch((err) => {
      if (!res.headersSent) res.writeHead(err.code === 'ENOENT' ? 404 : 500).end()
    })
  }))
})
