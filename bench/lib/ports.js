'use strict'

// For programs that are told their port, and do not tell when they listen.

const { once } = require('node:events')
const net = require('node:net')

const HOST = '127.0.0.1'

/** A port that nobody has now. */
async function freePort () {
  const server = net.createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function isListening (port) {
  const socket = net.connect(port, HOST)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

module.exports = { freePort, isListening }
