'use strict'

// A folder served by threads, each with a server and an event loop of its own.
//   node examples/worker-threads.js <port> <folder> [threads]     (HOST=0.0.0.0 for other machines)
// Threads cannot share a listening socket, as the processes of a cluster do. From Node 22.12 on each has one of its own
// at the same port (SO_REUSEPORT), and the kernel deals out the connections; before, each has its own port, one above
// the other, for a proxy in front. Sending files needs none of this: the package has threads for it, which all share.
// It is for programs that have much to do in JavaScript besides.

const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { Worker, isMainThread, parentPort, threadId, workerData } = require('node:worker_threads')
const { stats } = require('sendfile-native')
const { serveStatic } = require('sendfile-native/static')

if (isMainThread) main(...process.argv.slice(2)).catch((err) => { console.error(err.message); process.exit(1) })
else serve(workerData)

async function main (port, folder, count = String(os.cpus().length), ...rest) {
  if (!/^\d{1,5}$/.test(port) || port > 65535 || !folder || !/^[1-9]\d{0,3}$/.test(count) || rest.length > 0) {
    console.error('usage: worker-threads <port> <folder> [threads]')
    process.exit(2)
  }
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    console.error(`${folder} is no folder`)
    process.exit(2)
  }
  const root = path.resolve(folder)
  const host = process.env.HOST ?? '127.0.0.1'
  const [major, minor] = process.versions.node.split('.').map(Number)
  const reusePort = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

  const workers = []
  let next = Number(port)
  while (workers.length < Number(count)) {
    const worker = new Worker(__filename, { workerData: { root, listen: { port: next, host, reusePort } } })
    const [address] = await once(worker, 'message')
    console.log(`thread ${worker.threadId} serves ${root} at http://${host}:${address.port}/`)
    workers.push(worker)
    if (reusePort) next = address.port
    else if (next !== 0) next++
  }
  console.log('Ready')
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => { for (const worker of workers) worker.postMessage('end') })
  }
  process.once('exit', () => {
    const { sendfile, send } = stats().bytes // of all threads
    console.log(`${sendfile} bytes by sendfile(2), ${send} by send(2)`)
  })
}

function serve ({ root, listen }) {
  const serveFiles = serveStatic(root)
  const server = http.createServer((req, res) => {
    res.once('close', () => console.log(`thread ${threadId}: ${req.method} ${req.url} ${res.statusCode}`))
    serveFiles(req, res)
  })
  server.listen(listen, () => parentPort.postMessage(server.address()))
  parentPort.once('message', () => { server.close(); server.closeAllConnections() })
}
