'use strict'

// What may become of a request whose system calls fail, and what may not.

const { constants: { errno: numbers } } = require('node:os')
const { explains, isSystemCode } = require('./cells')

/**
 * What is wrong with an outcome: texts, none where nothing is.
 * @param {object} seen by the client
 * @param {object} told to the server's program: `result` or `err`
 * @param {object} rule `errnos`, those that were struck with; `isSurvived`, whether the request may not suffer;
 *   `counts`, whether its program is told how many bytes were sent
 */
function wrongsOf (seen, told, { errnos, isSurvived, counts, size }) {
  const wrongs = []
  const { kind, length } = seen
  if (!['whole', 'status', 'early'].includes(kind)) wrongs.push(`the client saw ${kind} (${length} of ${size} bytes)`)
  if (told.silent) wrongs.push('the program was told nothing')
  if (told.gone !== undefined) return [...wrongs, `the process ended: ${told.gone}`]
  if (kind === 'status' && seen.status !== 'refused' && !(seen.status >= 400 && seen.status <= 599)) {
    wrongs.push(`status ${seen.status}`)
  }
  if (isSurvived && kind !== 'whole') wrongs.push(`to be survived, and was ${textOf(seen, told)}`)
  if (kind === 'whole' && told.err) wrongs.push(`whole for the client, and for the program ${JSON.stringify(told.err)}`)
  if (kind !== 'whole' && told.result) wrongs.push(`${kind} for the client, and for the program all right`)
  if (told.err) wrongs.push(...wrongsOfError(told.err, seen, { errnos, counts, size }))
  if (told.result && counts && told.result.bytesSent !== size) wrongs.push(`bytesSent is ${told.result.bytesSent} of ${size}`)
  return wrongs
}

function wrongsOfError (err, { kind, length }, { errnos, counts, size }) {
  const wrongs = []
  const { code, errno, syscall, bytesSent, cause } = err
  if (!errnos.some((each) => explains(code, each))) wrongs.push(`nothing explains ${JSON.stringify(err)}`)
  if (isSystemCode(code) && (errno !== -numbers[code] || typeof syscall !== 'string')) {
    wrongs.push(`errno or syscall of ${JSON.stringify(err)}`)
  }
  if (code === 'ERR_SENDFILE_NO_THREAD' && !isSystemCode(cause)) wrongs.push(`no cause: ${JSON.stringify(err)}`)
  if (!counts) return wrongs
  if (!(bytesSent >= 0 && bytesSent <= size)) wrongs.push(`bytesSent is ${bytesSent} of ${size}`)
  else if (length > bytesSent) wrongs.push(`${length} bytes came, and bytesSent is ${bytesSent}`)
  if (kind === 'status' && bytesSent !== 0) wrongs.push(`bytesSent is ${bytesSent} before a status`)
  return wrongs
}

/** An outcome in a few words that are the same in each run. */
function textOf ({ kind, status }, { err, result, gone }) {
  if (gone !== undefined) return 'the process ended'
  const why = err ? [err.code === 'closed' ? '' : err.code, err.syscall ?? ''].filter(Boolean).join(' ') : ''
  if (kind === 'status') return `${status} ${why}`.trim()
  if (kind === 'early') return `early ${why}`.trim()
  return kind === 'whole' && result?.reason ? 'whole, copied' : kind
}

module.exports = { textOf, wrongsOf }
