'use strict'

// A file that is open for sending: the addon's, or where there is no addon, one of fs.

const { AsyncResource } = require('node:async_hooks')
const fs = require('node:fs')
const { fileURLToPath } = require('node:url')
const { addon } = require('./binding')
const { isForeignRuntime } = require('./eligibility')
const { submitOpen, submitRecheck } = require('./environment')
const { invalidArgType, invalidArgValue, refused, systemError } = require('./errors')
const { validateDescriptorNumber } = require('./validate')

class OpenFile {
  /** @param {object} [native] the addon's File */
  constructor (fd, size, native, close) {
    this.fd = fd
    this.size = size
    this.native = native
    this.close = close
  }

  /** Whether it is another than when it was opened. */
  recheck (answer) {
    if (this.native) submitRecheck(this.native, new AsyncResource('SENDFILERECHECK'), answer)
    else answer(false)
  }
}

/**
 * What the caller wants sent, checked: a path as bytes, or a descriptor number.
 * @returns {Buffer | number}
 */
function sourceOf (file) {
  if (typeof file === 'number') return validateDescriptorNumber(file, 'file')
  if (typeof file === 'string' || Buffer.isBuffer(file) || file instanceof URL) {
    const path = file instanceof URL ? fileURLToPath(file) : file
    const bytes = typeof path === 'string' ? Buffer.from(path) : path
    if (bytes.includes(0)) throw invalidArgValue('file', 'must be a string, Uint8Array, or URL without null bytes', file)
    return bytes
  }
  if (typeof file === 'object' && file !== null && typeof file.fd === 'number') {
    if (file.fd < 0) throw invalidArgValue('file', 'must be an open FileHandle', file)
    return validateDescriptorNumber(file.fd, 'file')
  }
  throw invalidArgType('file', 'of type string or number, or an instance of Buffer, URL, or FileHandle', file)
}

/**
 * Opens a regular file off the JavaScript thread. A descriptor stays the caller's.
 * @param {Buffer | number} source
 * @param {(err: Error | null, file?: OpenFile) => void} opened called later, in the context of `resource`
 */
function openFile (source, resource, opened) {
  if (!addon || isForeignRuntime) return openWithFs(source, resource, opened)
  submitOpen(source, resource, (native, errno, syscall) => {
    if (native === null) opened(withPath(refused(errno, syscall), source))
    else opened(null, new OpenFile(native.fd, native.size, native, () => native.close()))
  })
}

/** As fs names what could not be opened. */
function withPath (err, source) {
  if (typeof source === 'number') return err
  err.path = source.toString()
  err.message += ` '${err.path}'`
  return err
}

function openWithFs (source, resource, opened) {
  const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants
  const answer = (err, file) => resource.runInAsyncScope(opened, undefined, err, file)
  const check = (fd, close) => fs.fstat(fd, (err, stat) => {
    if (!err && stat.isFile()) return answer(null, new OpenFile(fd, stat.size, undefined, close))
    close()
    const errno = stat?.isDirectory() ? 'EISDIR' : 'EINVAL'
    answer(err ?? withPath(systemError(-require('node:os').constants.errno[errno], 'open'), source))
  })
  if (typeof source === 'number') return check(source, () => {})
  fs.open(source, O_RDONLY | O_NONBLOCK, (err, fd) => {
    if (err) answer(err)
    else check(fd, () => fs.close(fd))
  })
}

module.exports = { OpenFile, openFile, sourceOf }
