'use strict'

// What nearly every program does. Its length is asked for first: without a Content-Length the body would be chunked.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: '`createReadStream().pipe(res)`',
  serve: (folder) => http.createServer(withJson((req, res) => {
    const file = path.join(folder, req.url)
    fs.stat(file, (err, stat) => {
      if (err) return res.writeHead(404).end()
      res.setHeader('Content-Length', stat.size)
      fs.createReadStream(file).pipe(res)
    })
  }))
})
