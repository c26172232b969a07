'use strict'

const http = require('node:http')
const path = require('node:path')
const { withJson } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')
const { root } = require('../lib/program')

module.exports = nodePeer(__filename, {
  title: 'Express with register',
  needs: ['express'],
  options: ['--require', path.join(root, 'register.js')],
  serve (folder) {
    const express = require('express')
    return http.createServer(withJson(express().use(express.static(folder))))
  }
})
