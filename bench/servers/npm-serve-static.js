'use strict'

const http = require('node:http')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: 'serve-static',
  needs: ['serve-static'],
  serve (folder) {
    const handler = require('serve-static')(folder)
    return http.createServer(withJson((req, res) => handler(req, res, (err) => res.writeHead(err ? 500 : 404).end())))
  }
})
