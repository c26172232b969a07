'use strict'

const http = require('node:http')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: 'send',
  needs: ['send'],
  serve (folder) {
    const send = require('send')
    return http.createServer(withJson((req, res) => send(req, req.url, { root: folder }).pipe(res)))
  }
})
