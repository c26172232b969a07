'use strict'

// As in production: it looks at the files once, when it starts.

const http = require('node:http')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: 'sirv',
  needs: ['sirv'],
  serve (folder) {
    const handler = require('sirv')(folder, { etag: true })
    return http.createServer(withJson((req, res) => handler(req, res, () => res.writeHead(404).end())))
  }
})
