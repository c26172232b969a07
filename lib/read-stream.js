'use strict'

const fs = require('node:fs')
const { construct, read } = require('./region-read')

/**
 * fs.ReadStream, but for what it hands to a pipe. A function, as fs's is: it may be called without `new`.
 */
function ReadStream (path, options) {
  if (!(this instanceof ReadStream)) return new ReadStream(path, options)
  fs.ReadStream.call(this, path, options)
}
Object.setPrototypeOf(ReadStream, fs.ReadStream)
Object.setPrototypeOf(ReadStream.prototype, fs.ReadStream.prototype)

const methods = {
  _construct (callback) {
    construct(this)
    fs.ReadStream.prototype._construct.call(this, callback)
  },
  _read (size) {
    read(this, size, methods._read, fs.ReadStream.prototype._read)
  }
}
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(ReadStream.prototype, name, { value, writable: true, configurable: true })
}

function createReadStream (path, options) {
  return new ReadStream(path, options)
}

module.exports = { ReadStream, createReadStream }
