'use strict'

const fs = require('node:fs')
const { read } = require('./region-read')

/**
 * fs.ReadStream, but for what it hands to a pipe. A function, as fs's is: it may be called without `new`.
 */
function ReadStream (path, options) {
  if (!(this instanceof ReadStream)) return new ReadStream(path, options)
  fs.ReadStream.call(this, path, options)
}
Object.setPrototypeOf(ReadStream, fs.ReadStream)
Object.setPrototypeOf(ReadStream.prototype, fs.ReadStream.prototype)

function _read (size) {
  read(this, size, _read, fs.ReadStream.prototype._read)
}
Object.defineProperty(ReadStream.prototype, '_read', { value: _read, writable: true, configurable: true })

function createReadStream (path, options) {
  return new ReadStream(path, options)
}

module.exports = { ReadStream, createReadStream }
