'use strict'

// A process whose main thread does not load the addon: it starts workers that do, and terminates them, as it is told.

const fs = require('node:fs')
const path = require('node:path')
const { Worker } = require('node:worker_threads')

const workers = new Map()

function failed (err) {
  process.send({ failure: err?.stack ?? String(err) })
}
for (const event of ['uncaughtException', 'unhandledRejection', 'warning']) process.on(event, failed)

const commands = {
  start ({ id, ...workerData }) {
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData })
    workers.set(id, worker)
    worker.on('message', (message) => process.send({ id, ...message }))
    worker.on('error', failed)
    worker.on('exit', () => process.send({ id, exited: true }))
  },
  terminate ({ id }) {
    workers.get(id).terminate()
    workers.delete(id)
  },
  /** Both ends of a FIFO, the writing one blocking. */
  open ({ id, fifo }) {
    const input = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    process.send({ id, ends: [input, fs.openSync(fifo, fs.constants.O_WRONLY)] })
  },
  close ({ id, ends }) {
    for (const fd of ends) fs.closeSync(fd)
    process.send({ id, closed: true })
  },
  memory ({ id }) {
    globalThis.gc()
    process.send({ id, memory: process.memoryUsage.rss() })
  },
  /** From now on the main thread sends, too. */
  serve ({ id, folder }) {
    const { transferFile } = require('sendfile-native')
    const server = require('node:net').createServer((socket) => {
      socket.on('error', failed)
      transferFile(socket, path.join(folder, 'large')).catch(failed)
      server.close()
    })
    server.listen(0, '127.0.0.1', () => process.send({ id, port: server.address().port }))
  },
  end () {
    process.disconnect() // and then it ends by itself
  }
}

process.on('message', ({ command, ...given }) => commands[command](given))
