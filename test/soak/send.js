'use strict'

// One step of a plan on transferFile, its result compared with what the plan says. Used by the server for
// what it sends, and by the client for what it uploads.

const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { transferFile } = require('sendfile-native')

const isOff = process.env.SENDFILE_NATIVE === 'off'

/** How a connection may end that the other side, or an abort before, has ended. */
const LOST = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE']

/** Calls of transferFile whose promise is open. */
const unsettled = new Set()

/**
 * What the plan means by its file; `close()` when transferFile was called: from then on it has its own.
 * @returns {Promise<{ file: unknown, close: () => void }>}
 */
async function sourceOf (folder, step) {
  const file = path.join(folder, step.name)
  const nothing = () => {}
  switch (step.source) {
    case 'buffer': return { file: Buffer.from(file), close: nothing }
    case 'url': return { file: pathToFileURL(file), close: nothing }
    case 'fd': {
      const fd = fs.openSync(file)
      return { file: fd, close: () => fs.closeSync(fd) }
    }
    case 'handle': {
      const handle = await fs.promises.open(file)
      return { file: handle, close: () => { handle.close() } }
    }
    default: return { file, close: nothing }
  }
}

/**
 * Calls transferFile at once; resolves with its error, or null.
 * @param {{ file: unknown, close: () => void }} source
 * @param {object} context `endDestination`, `length` where it is not the step's, `failed(message)`
 */
async function send (destination, source, step, context) {
  const { endDestination, failed, length = step.length } = context
  const { start, end, zeroCopy } = step
  const options = { start, end, zeroCopy, endDestination }
  const seen = []
  if (step.progress) options.onProgress = (sent, total) => seen.push([sent, total])
  if (step.abort !== undefined) options.signal = signalAfter(step.abort)
  const call = { step, since: Date.now() }
  unsettled.add(call)
  let result
  try {
    const promise = transferFile(destination, source.file, options)
    source.close()
    result = await promise
  } catch (err) {
    const problem = problemOfError(err, step, length, options.signal?.aborted)
    if (problem) failed(problem)
    return err
  } finally {
    unsettled.delete(call)
  }
  const problem = problemOfResult(result, step, length, seen)
  if (problem) failed(problem)
  return null
}

function signalAfter (ms) {
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (ms < 0) abort()
  else if (ms === 0) process.nextTick(abort)
  else setTimeout(abort, ms)
  return controller.signal
}

function problemOfError (err, step, length, isAborted) {
  const told = `${err.stack} (bytesSent: ${err.bytesSent})`
  if (!(err.bytesSent >= 0 && err.bytesSent <= length)) return `bytesSent is not right: ${told}`
  if (err.name === 'AbortError') return isAborted ? null : `nobody aborted: ${told}`
  // With 0 the abort comes right after the call, which may have failed by itself.
  if (isAborted && step.abort !== 0) return `an abort, told as something else: ${told}`
  if (LOST.includes(err.code)) return null
  if (err.code === 'ERR_SENDFILE_TRUNCATED' && step.change?.how === 'truncate') return null
  return `an error that nothing called for: ${told}`
}

function problemOfResult (result, step, length, seen) {
  const { bytesSent, zeroCopy, reason, changed } = result
  const told = JSON.stringify(result)
  if (bytesSent !== length) return `${length} bytes were to be sent: ${told}`
  const copies = isOff || step.zeroCopy === false
  if (zeroCopy === copies || (copies ? reason !== 'disabled' : reason !== null)) return `zeroCopy or reason is not right: ${told}`
  if (changed && !['truncate', 'grow', 'unlink', 'replace'].includes(step.change?.how)) return `nothing changed this file: ${told}`
  if (step.progress && seen.at(-1)?.[0] !== bytesSent) return `the last onProgress was not of the end: ${seen}`
  if (seen.some(([sent, total], i) => total !== length || sent < (seen[i - 1]?.[0] ?? 0) || sent > total)) {
    return `onProgress went wrong: ${seen.join(' ')}, of ${length}`
  }
  return null
}

module.exports = { LOST, send, sourceOf, unsettled }
