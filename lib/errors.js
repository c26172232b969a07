'use strict'

// Every error of the package is made here, in the shape and grammar of Node's own.

const { constants } = require('node:os')
const { getSystemErrorMap, inspect } = require('node:util')

const EAGAIN = -constants.errno.EAGAIN

let systemErrors

/**
 * A failed system call.
 * @param {number} errno negative
 * @param {string} syscall
 * @param {Function} [caller] the stack starts at who called this function
 */
function systemError (errno, syscall, caller = systemError) {
  systemErrors ??= getSystemErrorMap() // a copy of the whole map at each call
  const unknown = `Unknown system error ${errno}`
  const [code, description] = systemErrors.get(errno) ?? [unknown, unknown]

  // One capture of the stack, the caller's: it is most of what an error costs.
  const { stackTraceLimit } = Error
  Reflect.set(Error, 'stackTraceLimit', 0)
  const error = new Error(`${code}: ${description}, ${syscall}`)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  Error.captureStackTrace(error, caller)

  error.errno = errno
  error.code = code
  error.syscall = syscall
  return error
}

/**
 * What the system would not begin. That it has no thread for us is no EAGAIN, which means to wait for the destination.
 */
function refused (errno, syscall, caller = refused) {
  const error = systemError(errno, syscall, caller)
  if (syscall !== 'pthread_create') return error
  return withCode(Error, 'ERR_SENDFILE_NO_THREAD', 'The system refused a thread', refused, { cause: error })
}

/**
 * An error whose stack shows its code, as Node's do: `TypeError [ERR_...]: ...`. The stack starts at
 * who called the function of this file.
 */
function withCode (Base, code, message, maker, options) {
  const error = new Base(message, options)
  error.name = `${error.name} [${code}]`
  Error.captureStackTrace(error, maker)
  void error.stack // is formatted when first read: now, with the code in it
  delete error.name
  error.code = code
  return error
}

/** @param {string} expected such as `type number` or `an instance of net.Socket` */
function invalidArgType (name, expected, value) {
  return withCode(TypeError, 'ERR_INVALID_ARG_TYPE',
    `The "${name}" argument must be ${expected}. Received ${described(value)}`, invalidArgType)
}

/** @param {string} expected such as `an integer` or `>= 0 && <= 10` */
function outOfRange (name, expected, value) {
  return withCode(RangeError, 'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${expected}. Received ${separated(value)}`, outOfRange)
}

function noDescriptor (name, why) {
  return withCode(Error, 'ERR_SENDFILE_NO_DESCRIPTOR',
    `The "${name}" argument has no descriptor to use: ${why}`, noDescriptor)
}

function unavailable (message, cause) {
  return withCode(Error, 'ERR_SENDFILE_UNAVAILABLE', message, unavailable, { cause })
}

function truncated () {
  return withCode(Error, 'ERR_SENDFILE_TRUNCATED', 'The file ended before the bytes that were promised', truncated)
}

/** A response that is being sent a file takes nothing else meanwhile. */
function responseBusy (method) {
  return withCode(Error, 'ERR_SENDFILE_RESPONSE_BUSY',
    `A file is being sent to this response: ${method} has to wait until transferFile has settled`, responseBusy)
}

function invalidArgValue (name, why, value) {
  return withCode(TypeError, 'ERR_INVALID_ARG_VALUE',
    `The argument '${name}' ${why}. Received ${inspect(value)}`, invalidArgValue)
}

/** The destination was destroyed, or ended, before it had all bytes. */
function destinationClosed (cause) {
  return withCode(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'The destination was closed before it had the whole file',
    destinationClosed, cause ? { cause } : undefined)
}

/** As http's own, of a file that is longer than the Content-Length that the caller promised. */
function contentLengthMismatch (length, promised) {
  return withCode(Error, 'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
    `The file's ${length} byte(s) do not match the content-length of ${promised} byte(s) set in header`,
    contentLengthMismatch)
}

/** As Node's own, for an operation that an AbortSignal ended. */
function aborted (cause) {
  const error = new Error('The operation was aborted', { cause })
  error.name = 'AbortError'
  error.code = 'ABORT_ERR'
  return error
}

function described (value) {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${nameOf(value)}`
  if (typeof value === 'object') {
    const name = nameOf(value.constructor)
    return name ? `an instance of ${name}` : inspect(value, { depth: -1 })
  }
  let text = inspect(value, { colors: false })
  if (text.length > 28) text = `${text.slice(0, 25)}...`
  return `type ${typeof value} (${text})`
}

/** A name may be anything: a static member of a class, for one. */
function nameOf (maker) {
  const name = maker?.name
  return typeof name === 'string' ? name : ''
}

/** 12345678901 as 12_345_678_901, as Node prints what is out of range. */
function separated (value) {
  const text = typeof value === 'bigint' ? `${value}n` : String(value)
  return Number.isInteger(value) || typeof value === 'bigint'
    ? text.replace(/\B(?=(\d{3})+n?$)/g, '_')
    : text
}

module.exports = {
  EAGAIN,
  aborted,
  contentLengthMismatch,
  destinationClosed,
  invalidArgType,
  invalidArgValue,
  noDescriptor,
  outOfRange,
  refused,
  responseBusy,
  systemError,
  truncated,
  unavailable
}
