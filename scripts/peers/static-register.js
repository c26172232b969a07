'use strict'

// Required by every process of a suite: serveStatic of the package in PEERS_PACKAGE answers in the place of the module
// that PEERS_INSTEAD_OF names. At the exit the process tells how many bytes went, and how.

const fs = require('node:fs')
const path = require('node:path')

const { PEERS_INSTEAD_OF: file, PEERS_PACKAGE: own } = process.env
const { stats } = require(own)
const { serveStatic } = require(path.join(own, 'static.js'))

require.cache[file] = { id: file, filename: file, loaded: true, children: [], paths: [], exports: serveStatic }

process.on('exit', () => {
  const { bytes: { sendfile, send, copied } } = stats()
  const report = { native: { bytes: sendfile + send }, copied: { bytes: copied } }
  fs.writeSync(2, `sendfile-native: ${JSON.stringify(report)}\n`)
})
