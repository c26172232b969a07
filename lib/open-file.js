'use strict'

// A file that is open for sending: the addon's, or where there is no addon, one of fs.

const { AsyncResource } = require('node:async_hooks')
const fs = require('node:fs')
const os = require('node:os')
const { fileURLToPath } = require('node:url')
const { addon } = require('./binding')
const { isForeignRuntime, processReason } = require('./eligibility')
const { adoptAtOnce, environment, openAtOnce, opened: status, submitOpen, submitRecheck } = require('./environment')
const { invalidArgType, invalidArgValue, refused, systemError } = require('./errors')
const { validateDescriptorNumber } = require('./validate')

const { EAGAIN } = os.constants.errno
const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants

/** Nothing is waited for in a FIFO. */
const READING = O_RDONLY | O_NONBLOCK

/** One that the addon has open. */
class OpenFile {
  // Declared, so that no setter that somebody gave to all objects comes in between: the file is open.
  id
  fd
  size
  modified
  isAtHand

  constructor (id, { fd, size, modified, isCopied } = environment.fileStatus(id)) {
    this.id = id
    this.fd = fd
    this.size = size
    /** In milliseconds since 1970. */
    this.modified = modified
    /** Whether asking about it cannot wait: nobody else's server has it. */
    this.isAtHand = !isCopied
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
  fd
  size
  modified
  owner

  /** @param {{ close(): void } | null} owner who closes it */
  constructor (fd, { size, mtimeMs }, owner) {
    this.fd = fd
    this.size = size
    this.modified = mtimeMs
    this.owner = owner
  }

  get isCopied () {
    return false
  }

  get isAtHand () {
    return false
  }

  recheck (resource, answer) {
    answer(false)
  }

  close () {
    this.owner?.close()
    this.owner = null
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

/** A path as the addon takes it: not a piece of a bigger buffer, which whoever keeps it would keep. */
function pathBytes (path) {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(path) + 1)
  if (typeof path === 'string') bytes.write(path)
  else bytes.set(path)
  bytes[bytes.length - 1] = 0
  return bytes
}

/**
 * Opens a regular file where nothing has to be waited for.
 * @param {object | null} root the addon's, that `bytes` are a name below; or they are a path
 * @param {Buffer} bytes with a NUL behind them
 * @returns {OpenFile | number} a negative errno: -EAGAIN where it has to be opened otherwise
 */
function tryOpen (root, bytes) {
  const id = openAtOnce(root, bytes)
  return id < 0 ? id : new OpenFile(id, { fd: status[0], size: status[1], modified: status[2], isCopied: false })
}

/**
 * Opens a regular file, where that may wait off the JavaScript thread. A descriptor stays the caller's.
 * @param {string | Buffer | number} source
 * @param {(err: Error | null, file?: OpenFile) => void} opened called later, in the context of `resource`
 */
function openFile (source, resource, opened) {
  if (!addon || isForeignRuntime) return openWithFs(source, resource, opened)
  if (typeof source === 'number') return submit(source, source, resource, opened)
  const later = (...answer) => process.nextTick(() => resource.runInAsyncScope(opened, undefined, ...answer))
  openPath(source, pathBytes(source), resource, later, opened)
}

/**
 * The same of a path, at once where nothing has to be waited for.
 * @param {Buffer} bytes the path, with a NUL behind it
 * @param {AsyncResource | null} resource null: that of the call
 * @param {(err: Error | null, file?: OpenFile) => void} opened what is told at once
 * @param {(err: Error | null, file?: OpenFile) => void} [openedLater] what is told later, in the context of `resource`
 */
function openPath (path, bytes, resource, opened, openedLater = opened) {
  const own = () => resource ?? new AsyncResource('SENDFILEOPEN')
  if (!addon || isForeignRuntime) return openWithFs(path, own(), openedLater)
  const file = tryOpen(null, bytes)
  if (file === -EAGAIN) submit(bytes, path, own(), openedLater)
  else if (typeof file === 'number') opened(withPath(refused(file, 'open'), path))
  else opened(null, file)
}

/** @param {Buffer | number} what as the addon takes it */
function submit (what, source, resource, opened) {
  submitOpen(what, resource, (id, syscall) => {
    if (id < 0) opened(withPath(refused(id, syscall), source))
    else opened(null, new OpenFile(id))
  })
}

/**
 * The same of an open descriptor, without another thread where that cannot wait.
 * @param {(err: Error | null, file?: OpenFile) => void} opened called later
 */
function adoptFile (fd, resource, opened) {
  const status = adoptAtOnce(fd)
  if (status === null) openFile(fd, resource, opened)
  else process.nextTick(opened, null, new OpenFile(status.id, status))
}

/** As fs names what could not be opened. */
function withPath (err, source) {
  if (typeof source === 'number') return err
  err.path = source.toString()
  err.message += `${err.syscall ? '' : ' to open'} '${err.path}'`
  return err
}

function openWithFs (source, resource, opened) {
  const answer = (err, file) => resource.runInAsyncScope(opened, undefined, err, file)
  if (typeof source === 'number') return checkWithFs(source, source, null, answer)
  fs.open(source, READING, (err, fd) => {
    if (err) answer(err)
    else checkWithFs(fd, source, { close () { fs.close(fd) } }, answer)
  })
}

/** What fs has open: a regular file, or else it is closed by its owner. */
function checkWithFs (fd, source, owner, answer) {
  fs.fstat(fd, (err, stat) => {
    if (!err && stat.isFile()) return answer(null, new FsFile(fd, stat, owner))
    owner?.close()
    const errno = stat?.isDirectory() ? os.constants.errno.EISDIR : os.constants.errno.EINVAL
    answer(err ?? withPath(systemError(-errno, 'open'), source))
  })
}

/**
 * Takes a FileHandle over: it is closed with the file.
 * @param {string} path what it was opened by
 */
function adoptOpened (handle, path, resource, opened) {
  const answer = (err, file) => resource.runInAsyncScope(opened, undefined, err, file)
  if (processReason() !== null) return checkWithFs(handle.fd, path, handle, answer)
  submit(handle.fd, path, resource, (err, file) => {
    handle.close()
    opened(err, file)
  })
}

module.exports = { OpenFile, READING, adoptFile, adoptOpened, openFile, openPath, pathBytes, sourceOf, tryOpen }
