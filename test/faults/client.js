'use strict'

// A client that compares every byte with the file, and says how its request ended for it:
//
//   whole    every byte, and then the end
//   status   an answer that says that there is none (4xx, 5xx; "refused" on a raw socket)
//   early    bytes of the file, or none, and then the connection broke off before what was promised
//   short    a clean end before the end of the file     } never
//   wrong    a byte that is not the file's, or too many }
//   hung     nothing came any more                      }

const http = require('node:http')
const http2 = require('node:http2')
const https = require('node:https')
const net = require('node:net')

const certificate = require('../helpers/certificate')

const HOST = '127.0.0.1'
const REFUSED = 'refused'
/** Longer than a machine that is busy needs for anything here. */
const PATIENCE_MS = 30_000

const TRUST = { ca: certificate.cert, servername: 'localhost' }

/** The bytes of one answer, as they come. */
class Arrival {
  constructor (expected) {
    this.expected = expected
    this.length = 0
    this.isWrong = false
  }

  take (chunk) {
    const { expected, length } = this
    const end = length + chunk.length
    this.isWrong ||= end > expected.length || chunk.compare(expected, length, end) !== 0
    this.length = end
  }

  /** @param {boolean} isClean whether the end was one that the protocol calls so */
  end (isClean) {
    const { length } = this
    if (this.isWrong) return { kind: 'wrong', length }
    if (length === this.expected.length && isClean) return { kind: 'whole', length }
    return { kind: isClean ? 'short' : 'early', length }
  }
}

/** One request of HTTP: `stalled(resume)`, if given, is called with the head, and nothing is read until `resume()`. */
function request ({ port, securePort }, { way, name, id, expected, agent = false, stalled }) {
  return new Promise((resolve) => {
    const arrival = new Arrival(expected)
    const early = () => resolve(arrival.end(false))
    const asked = way === 'tls'
      ? https.get({ port: securePort, host: HOST, path: `/transfer/${name}/${id}`, agent: false, ...TRUST })
      : http.get({ port, host: HOST, path: `/${way}/${name}/${id}`, agent })
    const patience = setTimeout(() => {
      resolve({ kind: 'hung', length: arrival.length })
      asked.destroy()
    }, PATIENCE_MS)
    asked.once('close', () => clearTimeout(patience))
    asked.on('error', early)
    asked.once('response', (response) => {
      const { statusCode: status } = response
      response.on('error', early)
      if (status !== 200) {
        response.resume().once('end', () => resolve({ kind: 'status', status, length: 0 }))
        return
      }
      const promised = response.headers['content-length']
      if (promised !== undefined && Number(promised) !== expected.length) arrival.isWrong = true
      const read = () => response.on('data', (chunk) => arrival.take(chunk))
      response.once('end', () => resolve(arrival.end(response.complete)))
      if (!stalled) return read()
      clearTimeout(patience)
      stalled(read)
    })
  })
}

/** The same by HTTP/2. */
function requestStream ({ multiplexedPort }, { name, id, expected }) {
  return new Promise((resolve) => {
    const arrival = new Arrival(expected)
    const session = http2.connect(`http://${HOST}:${multiplexedPort}`)
    const asked = session.request({ ':path': `/transfer/${name}/${id}` })
    const finish = (seen) => {
      clearTimeout(patience)
      session.destroy()
      resolve(seen)
    }
    const patience = setTimeout(() => finish({ kind: 'hung', length: arrival.length }), PATIENCE_MS)
    let status
    session.on('error', () => finish(arrival.end(false)))
    asked.on('error', () => {}) // 'close' follows
    asked.once('response', (headers) => { status = headers[':status'] })
    asked.on('data', (chunk) => { if (status === 200) arrival.take(chunk) })
    asked.once('close', () => {
      const hasFailed = asked.rstCode !== http2.constants.NGHTTP2_NO_ERROR
      finish(status === 200 || status === undefined ? arrival.end(!hasFailed) : { kind: 'status', status, length: 0 })
    })
  })
}

/** The same on a raw socket, which ends with the file: its length is what was promised. */
function receive ({ rawPort }, { name, id, expected }) {
  return new Promise((resolve) => {
    const arrival = new Arrival(expected)
    let first = Buffer.alloc(0)
    let hasEnded = false
    const socket = net.connect({ port: rawPort, host: HOST, allowHalfOpen: true })
    socket.on('error', () => {}) // 'close' follows
    socket.once('connect', () => socket.write(JSON.stringify({ id, name })))
    socket.on('data', (chunk) => {
      if (first.length < REFUSED.length) first = Buffer.concat([first, chunk])
      arrival.take(chunk)
    })
    socket.once('end', () => {
      hasEnded = true
      socket.end()
    })
    socket.setTimeout(PATIENCE_MS, () => {
      resolve({ kind: 'hung', length: arrival.length })
      socket.destroy()
    })
    socket.once('close', () => {
      if (first.toString('latin1') === REFUSED) return resolve({ kind: 'status', status: 'refused', length: 0 })
      resolve(arrival.end(hasEnded && arrival.length >= expected.length))
    })
  })
}

module.exports = { receive, request, requestStream }
