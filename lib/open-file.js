'use strict'

// A file that is open for sending: the addon's, or where there is no addon, one of fs.

const fs = require('node:fs')
const os = require('node:os')
const { fileURLToPath } = require('node:url')
const { addon } = require('./binding')
const { isForeignRuntime } = require('./eligibility')
const { environment, submitOpen, submitRecheck } = require('./environment')
const { invalidArgType, invalidArgValue, refused, systemError } = require('./errors')
const { validateDescriptorNumber } = require('./validate')

/** One that the addon has open. */
class OpenFile {
  constructor (id) {
    const { fd, size } = environment.fileStatus(id)
    this.id = id
    this.fd = fd
    this.size = size
  }

  /** Whether its bytes are copied by native threads: its file system cannot do without. */
  get isCopied () {
    return environment.isFileCopied(this.id)
  }

  /** Whether it is another than when it was opened: `answer(changed)`, now or later, in the context of `resource`. */
  recheck (resource, answer) {
    submitRecheck(this.id, resource, answer)
  }

  close () {
    environment.closeFile(this.id)
  }
}

/** One of fs. */
class FsFile {
  constructor (fd, size, isOurs) {
    this.fd = fd
    this.size = size
    this.isOurs = isOurs
  }

  get isCopied () {
    return false
  }

  recheck (resource, answer) {
    answer(false)
  }

  close () {
    if (!this.isOurs) return
    this.isOurs = false
    fs.close(this.fd)
  }
}

/**
 * What the caller wants sent, checked: a path, or a descriptor number.
 * @returns {string | Buffer | number}
 */
function sourceOf (file) {
  if (typeof file === 'number') return validateDescriptorNumber(file, 'file')
  if (typeof file === 'string' || Buffer.isBuffer(file) || file instanceof URL) {
    const path = file instanceof URL ? fileURLToPath(file) : file
    if (!path.includes('\0')) return typeof path === 'string' ? path : Buffer.from(path)
    throw invalidArgValue('file', 'must be a string, Uint8Array, or URL without null bytes', file)
  }
  if (typeof file === 'object' && file !== null && typeof file.fd === 'number') {
    if (file.fd < 0) throw invalidArgValue('file', 'must be an open FileHandle', file)
    return validateDescriptorNumber(file.fd, 'file')
  }
  throw invalidArgType('file', 'of type string or number, or an instance of Buffer, URL, or FileHandle', file)
}

/**
 * Opens a regular file off the JavaScript thread. A descriptor stays the caller's.
 * @param {string | Buffer | number} source
 * @param {(err: Error | null, file?: OpenFile) => void} opened called later, in the context of `resource`
 */
function openFile (source, resource, opened) {
  if (!addon || isForeignRuntime) return openWithFs(source, resource, opened)
  submitOpen(typeof source === 'string' ? Buffer.from(source) : source, resource, (id, syscall) => {
    if (id < 0) opened(withPath(refused(id, syscall), source))
    else opened(null, new OpenFile(id))
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
  const check = (fd, isOurs) => fs.fstat(fd, (err, stat) => {
    if (!err && stat.isFile()) return answer(null, new FsFile(fd, stat.size, isOurs))
    if (isOurs) fs.close(fd)
    const errno = stat?.isDirectory() ? os.constants.errno.EISDIR : os.constants.errno.EINVAL
    answer(err ?? withPath(systemError(-errno, 'open'), source))
  })
  if (typeof source === 'number') return check(source, false)
  fs.open(source, O_RDONLY | O_NONBLOCK, (err, fd) => {
    if (err) answer(err)
    else check(fd, true)
  })
}

module.exports = { openFile, sourceOf }
