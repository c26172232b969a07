'use strict'

// A worker that begins to send in one way, and says when it is in the middle of it.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { parentPort, workerData } = require('node:worker_threads')
const { EAGAIN, createReadStream, sendfile, stats, transferFile, trySendfile, watchWritable } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')

const { mode, file, out } = workerData
const MIB = 1 << 20

const there = () => parentPort.postMessage({ there: true })
const nothing = () => {}

function turn () {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Until somebody's transfer is on the reactor, or another thread waits for a disk. */
async function untilActive () {
  while (stats().transfers.active === 0) await turn()
}

async function again (socket) {
  while (!socket.destroyed) await transferFile(socket, file, { endDestination: false })
}

async function stalled (socket) {
  transferFile(socket, file).catch(nothing)
  await untilActive()
}

const modes = {
  inline: (socket) => { again(socket).catch(nothing) },
  flowing: (socket) => { again(socket).catch(nothing) },
  reactor: stalled,
  cold: (socket) => { transferFile(socket, file).catch(nothing) },
  reading: (socket) => { transferFile(socket, file).catch(nothing) },
  opening: (socket) => { transferFile(socket, file).catch(nothing) },
  pipe: async (socket) => {
    createReadStream(file).on('error', nothing).pipe(socket)
    await untilActive()
  },
  watch: (socket) => {
    const fd = fs.openSync(file)
    for (let offset = 0, sent; (sent = trySendfile(socket, fd, offset, MIB)) !== EAGAIN;) offset += sent
    watchWritable(socket)
  },
  whole: (socket) => transferFile(socket, file).catch(nothing)
}

/** Four calls that wait for a pipe that nobody empties: each holds its thread. */
function call () {
  const fd = fs.openSync(file)
  for (let index = 0; index < 4; index++) sendfile(out, fd, 0, MIB, nothing)
  setImmediate(there)
}

async function send (socket) {
  socket.on('error', nothing)
  await modes[mode](socket)
  there()
}

function listen () {
  const server = mode === 'static' ? http.createServer(serveStatic(path.dirname(file))) : net.createServer(send)
  if (mode === 'static') server.on('request', (req, res) => res.once('finish', there))
  server.listen(0, '127.0.0.1', () => parentPort.postMessage({ port: server.address().port }))
}

if (mode === 'call') call()
else listen()
