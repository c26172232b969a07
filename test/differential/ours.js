'use strict'

const fs = require('node:fs')
const { createReadStream } = require('sendfile-native')

/** The implementation that is tested. */
const ours = {
  name: 'sendfile-native',
  createReadStream: createReadStream ?? fs.createReadStream,
  isOurs: createReadStream !== undefined
}

module.exports = { ours }
