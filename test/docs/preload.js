'use strict'

// For a program of the documentation: its server listens at some port instead of its own, and tells which. It ends when
// whoever asked has gone.

const net = require('node:net')

const servers = new Set()
const { listen } = net.Server.prototype

net.Server.prototype.listen = function (...args) {
  servers.add(this)
  const callback = args.find((arg) => typeof arg === 'function')
  this.once('listening', () => process.send({ port: this.address().port }))
  return listen.call(this, { port: 0, host: '127.0.0.1' }, callback)
}

process.once('disconnect', () => process.exit())
process.channel.unref()
