'use strict'

const { EAGAIN } = require('./lib/errors')
const promises = require('./promises')
const { sendfile, trySendfile } = require('./lib/sendfile')
const { watchWritable } = require('./lib/watch-writable')

module.exports = {
  EAGAIN,
  promises,
  sendfile,
  trySendfile,
  watchWritable
}
