'use strict'

const { answer } = require('../lib/json-route')
const { nodePeer } = require('../lib/node-peer')

module.exports = nodePeer(__filename, {
  title: '@fastify/static',
  needs: ['fastify', '@fastify/static'],
  async serve (folder) {
    const app = require('fastify')()
    app.register(require('@fastify/static'), { root: folder })
    app.get('/json', (request, reply) => reply.type('application/json').send(answer()))
    await app.ready()
    return app.server
  }
})
