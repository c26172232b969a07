'use strict'

// Where a program sends its file: each is a stream, and the peer that gets what is written to it.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const { PassThrough } = require('node:stream')
const tls = require('node:tls')
const { turns } = require('../helpers')
const { check } = require('./collected')
const { SECOND } = require('./expected')
const { FilePeer, HttpPeer, Peer, SocketPeer, UploadPeer } = require('./peers')

/** What other responses on its connection say, if they are no files. */
const SMALL = 'small'

/**
 * Opens a destination; `ready` is called with it, in the turn in which it is there.
 * @returns {void}
 */
function openDestination (run, plan, ready) {
  open[plan.kind](run, plan, (destination) => {
    wrap(run, plan, destination.stream)
    ready(destination)
  })
}

const open = {
  socket (run, plan, ready) {
    const key = run.key()
    const client = net.connect({ ...run.world.places.raw[plan.unix ? 1 : 0] })
    run.holds(client)
    const peer = new SocketPeer(run, plan, client)
    peer.isTcp = !plan.unix
    run.world.expect(key, (socket) => {
      if (plan.reads) socket.resume()
      ready({ stream: socket, peer, ends: [socket, client] })
    })
    peer.begin()
    client.once('connect', () => client.write(key))
  },

  tls (run, plan, ready) {
    const key = run.key()
    const client = tls.connect({ ...run.world.places.tls[0], rejectUnauthorized: false })
    run.holds(client)
    const peer = new SocketPeer(run, plan, client)
    run.world.expect(key, (socket) => {
      socket.resume()
      ready({ stream: socket, peer })
    })
    peer.begin()
    client.once('secureConnect', () => client.write(key))
  },

  response (run, plan, ready) {
    const key = run.key()
    const client = net.connect({ ...run.world.places.http[plan.unix ? 1 : 0] })
    run.holds(client)
    const peer = new HttpPeer(run, plan, client)
    peer.isTcp = !plan.unix
    const small = (req, res) => {
      res.on('error', () => {})
      res.setHeader('Content-Length', plan.streamed ? SECOND.size : SMALL.length)
      if (!plan.streamed) {
        res.end(SMALL)
        return
      }
      const source = run.implementation.createReadStream(run.world.second)
      run.holds(source)
      source.pipe(res)
    }
    let isStarted
    const started = new Promise((resolve) => { isStarted = resolve })
    run.world.expect(`/${key}/before`, async (req, res) => {
      // The file's response has to wait for this one.
      await started
      run.later(turns(plan.reading.turns ?? 5).then(() => small(req, res)))
    })
    run.world.expect(`/${key}/after`, small)
    run.forgets(`/${key}/before`, `/${key}/after`)
    run.world.expect(`/${key}/file`, (req, res) => {
      head(plan, res, run.expected.promised)
      ready({ stream: res, peer, ends: [req.socket, client] })
      isStarted()
    })
    client.once('connect', () => peer.begin((name) => {
      const method = name === 'file' ? plan.method : 'GET'
      client.write(`${method} /${key}/${name} HTTP/${plan.version}\r\nHost: differential\r\n\r\n`)
    }))
    // A connection that is not made has no peer either.
    client.once('error', () => {})
  },

  upload (run, plan, ready) {
    const key = run.key()
    const headers = plan.framing === 'length' ? { 'Content-Length': run.expected.promised } : {}
    const request = http.request({
      ...run.world.places.http[0], path: `/${key}`, method: 'PUT', headers, agent: false
    })
    if (plan.framing === 'chunked') request.setHeader('Transfer-Encoding', 'chunked')
    request.on('response', (response) => response.resume().on('error', () => {}))
    // The peer is there before the server has seen the request.
    const peer = new Proxied()
    const ends = []
    run.world.expect(`/${key}`, (req, res) => {
      peer.is(new UploadPeer(run, plan, request, { request: req, response: res }))
      ends.push(request.socket, req.socket)
      peer.begin()
    })
    run.forgets(`/${key}`)
    ready({ stream: request, peer, ends })
  },

  passthrough (run, plan, ready) {
    const stream = new PassThrough({ highWaterMark: plan.highWaterMark })
    const peer = new Peer(run, plan, stream)
    ready({ stream, peer })
    peer.begin()
  },

  file (run, plan, ready) {
    const path = `${run.path}.${run.holders.length} out`
    const stream = fs.createWriteStream(path)
    run.holders.push(stream)
    const peer = new FilePeer(run, plan, stream, path)
    ready({ stream, peer })
    peer.begin()
  }
}

/** A peer that comes later. */
class Proxied {
  constructor () {
    this.peer = null
    this.first = null
  }

  is (peer) {
    this.peer = peer
  }

  begin () {
    this.peer.begin()
    if (this.first) this.peer[this.first]()
  }

  get isOver () {
    return this.peer?.isOver ?? this.first !== null
  }

  get body () {
    return this.peer?.body
  }

  leave () {
    if (this.peer) this.peer.leave()
    else this.first = 'leave'
  }

  reset () {
    this.leave()
  }

  summary (...args) {
    return this.peer?.summary(...args) ?? { ending: 'never began' }
  }
}

function head (plan, res, length) {
  res.statusCode = plan.status
  if (plan.framing === 'length') res.setHeader('Content-Length', length)
  if (plan.framing === 'writeHead') res.writeHead(plan.status, { 'Content-Length': length })
  if (plan.framing === 'chunked') res.setHeader('Transfer-Encoding', 'chunked')
  if (!plan.corked) return
  res.cork()
  turns(2).then(() => res.uncork())
}

/** Somebody replaces a method, as compression does. */
function wrap (run, { wrapped }, stream) {
  if (!wrapped) return
  const name = wrapped === '_write' && typeof stream._write !== 'function' ? 'write' : wrapped
  const original = stream[name]
  stream[name] = function (chunk, ...rest) {
    if (typeof chunk !== 'function') check(run, chunk)
    return original.call(this, chunk, ...rest)
  }
  if (name === '_write' && stream._writev) {
    const { _writev } = stream
    stream._writev = function (entries, callback) {
      for (const { chunk } of entries) check(run, chunk)
      return _writev.call(this, entries, callback)
    }
  }
}

module.exports = { openDestination }
