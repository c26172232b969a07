'use strict'

// The server whose system calls are struck: every way that a file can leave, in one process. test/faults/host.js starts
// it, and is told how each call ended. The argument is JSON: `root`, the folder of the files; `refuse`, system calls by
// number with the errno that seccomp(2) answers each with from the beginning.

const fs = require('node:fs')
const http = require('node:http')
const http2 = require('node:http2')
const https = require('node:https')
const net = require('node:net')
const path = require('node:path')

const { root, refuse = [] } = JSON.parse(process.argv[2])
for (const [number, errno] of refuse) require('../helpers/testkit').refuseSystemCall(number, errno)

const { stats, transferFile } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')
require('sendfile-native/register')
const { answerRest } = require('../helpers/answer-rest')
const certificate = require('../helpers/certificate')

const HOST = '127.0.0.1'
const REFUSED = 'refused'

/** What the server's program learns of one call: once, what comes first. */
class Told {
  constructor (id) {
    this.id = id
    this.isTold = false
  }

  succeed (result) {
    this.tell({ result: result ?? {} })
  }

  fail ({ code, errno, syscall, statusCode, bytesSent, message, cause }) {
    this.tell({ err: { code, errno, syscall, statusCode, bytesSent, message, cause: cause?.code } })
  }

  /** A response tells who was told nothing else, and what befalls its connection, the connection. */
  watch (res) {
    const { socket } = res
    const failed = (err) => this.fail(err)
    let hasFinished = false
    res.once('finish', () => { hasFinished = true })
    socket.prependOnceListener('error', failed)
    // Where the last write fails, http's 'finish' and 'close' come before the 'error'.
    res.once('close', () => setImmediate(() => {
      socket.off('error', failed)
      if (hasFinished) this.succeed()
      else this.fail({ code: 'closed' })
    }))
  }

  tell (outcome) {
    if (this.isTold) return
    this.isTold = true
    process.send({ id: this.id, ...outcome })
  }
}

const handler = serveStatic(root, { fallthrough: false })

const ways = {
  static (req, res, name, told) {
    told.watch(res)
    req.url = `/${name}`
    handler(req, res, (err) => {
      told.fail(err)
      answerRest(res, err)
    })
  },
  transfer (req, res, name, told, options) {
    transferFile(res, path.join(root, name), options).then((result) => told.succeed(result), (err) => {
      told.fail(err)
      answerRest(res, err)
    })
  },
  /** Over TLS and HTTP/2 it is copied anyway. */
  copied (req, res, name, told) {
    ways.transfer(req, res, name, told, { zeroCopy: false })
  },
  /** Chunked, as of a program that does not ask how long the file is. */
  stream (req, res, name, told) {
    told.watch(res)
    const stream = fs.createReadStream(path.join(root, name))
    stream.once('error', (err) => {
      told.fail(err)
      answerRest(res, err)
    })
    stream.pipe(res)
  },
  /** With the length that the file had. */
  length (req, res, name, told) {
    fs.stat(path.join(root, name), (err, stat) => {
      if (err) {
        told.fail(err)
        return answerRest(res, err)
      }
      res.setHeader('Content-Length', stat.size)
      ways.stream(req, res, name, told)
    })
  }
}

function answer (req, res) {
  const [, way, name, id] = req.url.split('/')
  ways[way](req, res, name, new Told(Number(id)))
}

const web = http.createServer(answer)
const secure = https.createServer(certificate, answer)
const multiplexed = http2.createServer(answer)

const raw = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {}) // 'close' follows
  socket.setEncoding('latin1').once('data', (line) => {
    const { id, name } = JSON.parse(line)
    const told = new Told(id)
    transferFile(socket, path.join(root, name)).then((result) => told.succeed(result), (err) => {
      told.fail(err)
      if (!socket.destroyed) socket.end(REFUSED)
    })
  })
})

process.on('message', ({ id }) => process.send({ id, stats: stats() }))
process.on('disconnect', () => process.exit())
process.on('uncaughtException', (err) => process.send({ uncaught: err.stack }))
process.on('unhandledRejection', (err) => process.send({ uncaught: err?.stack ?? String(err) }))

async function main () {
  // libuv's threads start now: it aborts when it cannot have them later.
  await Promise.all(Array.from({ length: 16 }, () => fs.promises.stat(__filename)))
  const ports = []
  for (const server of [web, raw, secure, multiplexed]) {
    await new Promise((resolve) => server.listen(0, HOST, resolve))
    ports.push(server.address().port)
  }
  process.send({ ports })
}

main()
