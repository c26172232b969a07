'use strict'

const { EAGAIN } = require('./lib/errors')
const promises = require('./promises')
const { ReadStream, createReadStream } = require('./lib/read-stream')
const { sendfile, trySendfile } = require('./lib/sendfile')
const { stats } = require('./lib/stats')
const { transferFile } = require('./lib/transfer-file')
const { watchWritable } = require('./lib/watch-writable')

module.exports = {
  EAGAIN,
  ReadStream,
  createReadStream,
  promises,
  sendfile,
  stats,
  transferFile,
  trySendfile,
  watchWritable
}
