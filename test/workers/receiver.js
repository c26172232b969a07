'use strict'

// The other end of a worker's connections: it looks at every byte until the connection ends.

const http = require('node:http')
const net = require('node:net')
const { mismatch } = require('../soak/contents')

const HOST = '127.0.0.1'

/** Bytes of a file that is sent again and again. */
class Bytes {
  constructor (name, size) {
    this.name = name
    this.size = size
    this.received = 0
  }

  /** @throws where they are not the file's */
  take (bytes) {
    while (bytes.length > 0) {
      const offset = this.received % this.size
      const piece = bytes.subarray(0, this.size - offset)
      const wrong = mismatch(this.name, offset, piece)
      if (wrong !== -1) throw new Error(`wrong byte at ${this.received + wrong} of ${this.name}`)
      this.received += piece.length
      bytes = bytes.subarray(piece.length)
    }
  }
}

/**
 * A connection: `ended` resolves with the bytes that came, all of them right, when the server has closed it. With
 * `stalls`, nothing is read after the first piece until `resume()`.
 */
function receive (port, name, size, { stalls = false } = {}) {
  const bytes = new Bytes(name, size)
  const socket = net.connect({ port, host: HOST })
  const ended = new Promise((resolve, reject) => {
    socket.on('data', (data) => {
      try {
        bytes.take(data)
      } catch (err) {
        reject(err)
        socket.destroy()
      }
      if (stalls) socket.pause()
      stalls = false
    })
    socket.on('error', () => {}) // a reset is an end, too
    socket.on('close', () => resolve(bytes.received))
  })
  const resume = () => {
    stalls = false // perhaps nothing has come yet
    socket.resume()
  }
  return { ended, resume, bytes }
}

/** The same by HTTP, one request after the other on one connection, until it fails. */
function request (port, name, size) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const bytes = new Bytes(name, size)
  const one = () => new Promise((resolve, reject) => {
    const lost = () => resolve(false)
    http.get({ port, host: HOST, path: `/${name}`, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.on('data', (data) => {
        try {
          bytes.take(data)
        } catch (err) {
          reject(err)
        }
      })
      response.on('end', () => resolve(true)).on('error', lost)
    }).on('error', lost)
  })
  const ended = (async () => {
    while (await one());
    agent.destroy()
    return bytes.received
  })()
  return { ended, resume: () => {}, bytes }
}

module.exports = { receive, request }
