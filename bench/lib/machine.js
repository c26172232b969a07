'use strict'

// Where and when something was measured.

const os = require('node:os')
const { cpu } = require('./last-cpu')

function machine () {
  return {
    node: process.version,
    kernel: `${os.type()} ${os.release()}`,
    processor: os.cpus()[0].model.trim(),
    cores: os.cpus().length,
    clientCpu: cpu,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    date: new Date().toISOString().slice(0, 10)
  }
}

/** In one line. */
function describe ({ node, kernel, processor, cores, date } = machine()) {
  return `Node ${node}, ${kernel}, ${processor}, ${cores} cores; ${date}`
}

module.exports = { describe, machine }
