'use strict'

// A worker that sends files, until it is terminated with whatever is under way.

const net = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const { answerLine } = require('./ways')

const { folder, host, port } = workerData
const failed = (err) => parentPort.postMessage({ failure: err.stack })
process.on('uncaughtException', failed)

const server = net.createServer({ allowHalfOpen: true }, answerLine(folder, failed))
server.on('error', failed)
server.listen({ port, host, backlog: 4096 }, () => parentPort.postMessage({ port: server.address().port }))
