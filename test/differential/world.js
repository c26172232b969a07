'use strict'

// What all programs share: a folder of files, and servers whose connections and requests find the run they belong to.

const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const tls = require('node:tls')
const certificate = require('../helpers/certificate')
const { SECOND, bytesOf } = require('./expected')

const HOST = '127.0.0.1'

class World {
  constructor () {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-differential-'))
    this.second = path.join(this.folder, SECOND.name)
    this.runs = 0
    /** Who waits for a connection or a request of this key. */
    this.waiting = new Map()
    this.places = {}
    this.servers = []
    this.sizes = new Set()
    fs.writeFileSync(this.second, bytesOf(SECOND.name, SECOND.size))
  }

  async open () {
    const onRequest = (req, res) => this.arrived(req.url, req, res)
    await this.listen('http', http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, onRequest))
    // Whose connection it is, its first line tells.
    const raw = (server) => server.on('connection', (socket) => socket.on('error', () => {}))
    await this.listen('raw', raw(net.createServer((socket) => this.recognise(socket))))
    await this.listen('tls', tls.createServer(certificate, (socket) => {
      socket.on('error', () => {})
      this.recognise(socket)
    }))
  }

  async listen (name, server) {
    server.listen(0, HOST)
    await once(server, 'listening')
    const place = path.join(this.folder, `${name}.socket`)
    const unix = net.createServer((socket) => server.emit('connection', socket)).listen(place)
    await once(unix, 'listening')
    this.servers.push(server, unix)
    this.places[name] = [{ port: server.address().port, host: HOST }, { path: place }]
  }

  /** Reads the first line, and leaves the socket as if it had not been read from. */
  recognise (socket) {
    const read = () => {
      const chunk = socket.read()
      if (chunk === null) return
      socket.removeListener('readable', read)
      socket.pause()
      // Node thinks of what a stream is about when its listeners are gone: one turn later.
      setImmediate(() => this.arrived(chunk.toString('latin1'), socket))
    }
    socket.on('readable', read)
  }

  arrived (key, ...what) {
    const resolve = this.waiting.get(key)
    this.waiting.delete(key)
    if (resolve) resolve(what)
    else what.at(-1).destroy() // the run is over
  }

  /** Whatever comes with this key, at once. */
  expect (key, taken) {
    this.waiting.set(key, (what) => taken(...what))
  }

  forget (key) {
    this.waiting.delete(key)
  }

  /** A file of these many bytes under a name of its own; a folder without. */
  file (name, size, isOwn) {
    const file = path.join(this.folder, name)
    if (size === null) {
      fs.mkdirSync(file)
    } else if (isOwn) {
      fs.writeFileSync(file, bytesOf('file', size))
    } else {
      const shared = path.join(this.folder, `of ${size}`)
      if (!this.sizes.has(size)) {
        fs.writeFileSync(shared, bytesOf('file', size))
        this.sizes.add(size)
      }
      fs.linkSync(shared, file)
    }
    return file
  }

  async close () {
    for (const server of this.servers) {
      server.close()
      server.closeAllConnections?.()
    }
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

module.exports = { HOST, World }
