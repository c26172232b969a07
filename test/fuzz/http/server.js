'use strict'

// serveStatic alone, as test/fuzz/http asks it: each answer says which request it was taken for.

const http = require('node:http')
const { stats } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')
const { descriptors, startReactor } = require('../../helpers')

const handler = serveStatic(process.argv[2], { dotfiles: 'allow', fallthrough: false })

/** Whatever is answered, and whoever takes fields out of its head. */
class Tagged extends http.ServerResponse {
  writeHead (...args) {
    this.setHeader('X-Method', this.req.method)
    this.setHeader('X-Target', this.req.url)
    return super.writeHead(...args)
  }
}

const server = http.createServer({ ServerResponse: Tagged }, (req, res) => {
  handler(req, res)
})

// As without a listener: what is malformed ends the connection, and with it what was to be answered on it.
server.on('clientError', (err, socket) => {
  process.send({ refused: socket.remotePort })
  if (socket.writable && !socket._httpMessage?._headerSent) {
    const status = err.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request'
    socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
  }
  socket.destroy()
})

server.keepAliveTimeout = 30_000
// It is there from when it is needed first.
startReactor().then(() => {
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
})

process.on('message', () => {
  server.getConnections((err, connections) => {
    const { active } = stats().transfers
    process.send({ connections: err ? -1 : connections, descriptors: descriptors().size, active })
  })
})
process.on('disconnect', () => process.exit())
