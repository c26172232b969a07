'use strict'

// "Using sendfile(2) with NodeJS" (2010) in today's JavaScript: a TCP server that sends a file to
// everyone who connects.   node examples/server.js <port> <path>   (HOST=0.0.0.0 for other machines)
const fs = require('node:fs')
const net = require('node:net')
const { EAGAIN, sendfile, watchWritable } = require('sendfile-native') // was process.binding('fs')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: sendfile <port> <path>')
  process.exit(1)
}

const port = parseInt(process.argv[2])
const path = process.argv[3]
const bufSz = 1 << 20 // was 1 << 10; the kernel takes what fits, so more a call means fewer calls
const sockets = new Set()

// Half open, and its input discarded: a client that has nothing more to say still gets the whole file.
const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.on('error', () => {}) // a reset, seen while reading: 'close' follows
  socket.resume()

  fs.open(path, 'r', (err, fd) => {
    if (err) return fail(err)

    // The original never closed its file.
    const closeFile = () => { if (fd !== null) fs.close(fd); fd = null }
    if (socket.destroyed) return closeFile() // left while we opened it
    socket.once('finish', closeFile).once('close', closeFile)

    // Tracked outside of sendData(), so that it is stable across its invocations.
    let off = 0

    const sendData = () => {
      try {
        // The synchronous call: no round trip through a thread. It sends until the end of the file, or
        // until the socket's buffer is full.
        let nbytes
        do {
          nbytes = sendfile(socket, fd, off, bufSz) // was s.fd, which Node no longer shows
          off += nbytes
        } while (nbytes > 0)
        socket.end() // 0 bytes: the end of the file
      } catch (err) {
        if (err.errno === EAGAIN) waitForDrain()
        else fail(err)
      }
    }

    // Trying again at once would be busy-waiting: the next call waits until the kernel takes more. We
    // sent behind the socket's back, so it has to be told: was s._writeWatcher.start().
    const waitForDrain = () => {
      try {
        watchWritable(socket)
        socket.once('drain', sendData)
      } catch (err) {
        fail(err)
      }
    }

    sendData()
  })

  // Anything else was rethrown, and ended the process: now it ends this client, by a reset, so that the
  // part that it has cannot pass for the whole file. That the client itself left is nothing to report.
  function fail (err) {
    if (err.code !== 'EPIPE' && err.code !== 'ECONNRESET') console.error(`${path}: ${err.message}`)
    socket.resetAndDestroy()
  }
})

server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
server.listen(port, process.env.HOST ?? '127.0.0.1', () => {
  console.log(`Sending ${path} to all connections on port ${server.address().port}`)
})
process.once('SIGINT', () => { server.close(); for (const socket of sockets) socket.destroy() })
