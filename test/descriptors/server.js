'use strict'

// The server, a process of its own. Arguments: the folder of the files, and how many decoys there are.

require('sendfile-native/register')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { stats } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')
const { descriptors, startReactor, threads } = require('../helpers')
const { Decoys } = require('./decoys')
const { EXPECTED, answerLine, http: ways, send } = require('./ways')

const [folder, decoyCount] = process.argv.slice(2)
const HOST = '127.0.0.1'
/** Not where the kernel takes the numbers of clients from: a worker's port stays free until the next one listens. */
const MORTAL_HOST = '127.0.0.2'
const LIFE_MS = 700

let connections = 0
let accepted = 0
let terminated = 0
const decoys = new Decoys(path.dirname(folder), Number(decoyCount), (text) => failed(new Error(text)))

function failed (err) {
  process.send({ failure: err?.stack ?? String(err) })
}
for (const event of ['uncaughtException', 'unhandledRejection', 'warning']) process.on(event, failed)
process.on('disconnect', () => process.exit())

const serve = serveStatic(folder, { etag: false })

function respond (req, res) {
  const [, way, name] = req.url.split('/')
  res.on('error', (err) => { if (!EXPECTED.has(err.code)) failed(err) })
  if (way !== 's') {
    send(ways[way], res, path.join(folder, name), failed)
    return
  }
  req.url = `/${name}`
  serve(req, res, (err) => {
    // The head may not have left yet when a client is gone, or a file is replaced once more by a shorter one.
    if (err === undefined || !EXPECTED.has(err.code)) failed(err ?? new Error(`${name} was not there`))
    res.destroy()
  })
}

async function listen (server) {
  server.on('connection', (socket) => {
    connections++
    accepted++
    decoys.recycle()
    socket.on('close', () => {
      connections--
      decoys.recycle() // takes the number that was just given back
    })
  })
  server.listen({ port: 0, host: HOST, backlog: 4096 })
  await once(server, 'listening')
  return server.address().port
}

/** Workers one after the other, each terminated in the middle of what it does. */
class Mortal {
  constructor () {
    this.port = 0
    this.isEnding = false
  }

  start () {
    this.isEnding = false
    return this.next()
  }

  async next () {
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: { folder, host: MORTAL_HOST, port: this.port } })
    worker.on('error', failed)
    worker.on('message', ({ failure }) => { if (failure) failed(failure) })
    const [message] = await once(worker, 'message')
    this.port = message.port ?? this.port
    this.worker = worker
    this.timer = setTimeout(() => { this.turn = this.renew() }, LIFE_MS * (0.5 + Math.random()))
  }

  async renew () {
    await this.worker.terminate()
    terminated++
    if (!this.isEnding) await this.next()
  }

  async end () {
    this.isEnding = true
    clearTimeout(this.timer)
    await this.turn
    clearTimeout(this.timer)
    await this.worker.terminate()
  }
}

/** What is open, inode numbers of sockets and pipes left out. */
function condition () {
  const open = [...descriptors().values()].map((target) => target.replace(/:\[\d+\]$/, '')).sort()
  return {
    open: open.filter((target) => !/^\/proc\/\d+\/fd$/.test(target)),
    threads: fs.readdirSync('/proc/self/task').length,
    native: threads('sendfile-').length,
    connections,
    accepted,
    terminated,
    recycled: decoys.recycled,
    active: stats().transfers.active,
    stats: stats()
  }
}

async function main () {
  await startReactor()
  const mortal = new Mortal()
  const servers = {
    // Who has half closed wants its answer.
    http: Object.assign(http.createServer({ keepAliveTimeout: 120_000 }, respond), { httpAllowHalfOpen: true }),
    raw: net.createServer({ allowHalfOpen: true }, answerLine(folder, failed))
  }
  servers.http.on('clientError', (err, socket) => socket.destroy()) // half a request
  const ports = {}
  for (const [name, server] of Object.entries(servers)) ports[name] = await listen(server)
  const commands = {
    condition: () => process.send({ condition: condition() }),
    mortal: async () => {
      await mortal.start()
      process.send({ mortal: `${MORTAL_HOST}:${mortal.port}` })
    },
    settle: async () => { // no worker and no decoy is left
      await mortal.end()
      decoys.end()
      process.send({ settled: true })
    },
    end: () => { // and then it ends by itself
      for (const server of Object.values(servers)) server.close()
      process.removeAllListeners('disconnect')
      process.disconnect()
    }
  }
  process.on('message', (name) => commands[name]())
  process.send({ http: `${HOST}:${ports.http}`, raw: `${HOST}:${ports.raw}` })
}

main()
