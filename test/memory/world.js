'use strict'

// Where the ways are gone: files, a server for HTTP and one for connections, on the loopback.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')

const HOST = '127.0.0.1'

class World {
  #servers = []
  #files = 0

  constructor (folder) {
    this.folder = folder
  }

  /** A file of random bytes with a name of its own. */
  file (size) {
    const file = path.join(this.folder, `file-${this.#files++}`)
    const bytes = crypto.randomBytes(size)
    fs.writeFileSync(file, bytes)
    return { path: file, name: path.basename(file), bytes, remove: () => fs.rmSync(file, { force: true }) }
  }

  async #listen (server) {
    this.#servers.push(server)
    server.listen(0, HOST)
    await once(server, 'listening')
    return server.address().port
  }

  /** The answer to one request of a server that answers so: `{ status, body, result }`. */
  async answer (handler, { headers = {}, method = 'GET', path = '/' } = {}) {
    let result
    const server = http.createServer((request, response) => { result = handler(request, response) })
    const port = await this.#listen(server)
    const request = http.request({ port, host: HOST, path, method, headers, agent: false }).end()
    const [response] = await once(request, 'response')
    const chunks = []
    for await (const chunk of response) chunks.push(chunk)
    server.close()
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), result: await result }
  }

  /** Two ends of a connection, of which the client does not read yet. */
  async connection () {
    const server = net.createServer({ pauseOnConnect: true })
    const port = await this.#listen(server)
    const there = net.connect({ port, host: HOST })
    there.pause()
    const [[here]] = await Promise.all([once(server, 'connection'), once(there, 'connect')])
    for (const socket of [here, there]) socket.on('error', () => {}) // resets are among the ways
    server.close()
    return { here, there }
  }

  async close () {
    for (const server of this.#servers) server.close()
  }
}

/** Everything that comes until the end. */
async function readAll (socket) {
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.resume()
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(chunks)
}

/** Until the kernel takes no more for a client that does not read. */
async function untilStalled (socket) {
  for (let last = -1, same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    same = socket.bytesWritten === last && last > 0 ? same + 1 : 0
    last = socket.bytesWritten
  }
}

/** As deepEqual, without a report of megabytes. */
function assertBytes (actual, expected) {
  assert.equal(actual.length, expected.length)
  assert.ok(actual.equals(expected), 'the bytes of the file')
  return actual.length
}

function assertPrefix (actual, expected) {
  assert.ok(actual.length <= expected.length)
  return assertBytes(actual, expected.subarray(0, actual.length))
}

module.exports = { World, assertBytes, assertPrefix, readAll, untilStalled }
