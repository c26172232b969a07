'use strict'

const { promisify } = require('node:util')
const { addon, assertAvailable } = require('./binding')
const { descriptorOf } = require('./descriptor')
const { submitSendfile } = require('./environment')
const { EAGAIN, refused, systemError } = require('./errors')
const { validateFunction, validateLength, validateOffset } = require('./validate')

/** Bytes queued in JavaScript go first: to overtake them would put the file inside them. */
function hasQueuedBytes (out) {
  return typeof out === 'object' && out.writableLength > 0
}

function trySendfile (outFd, inFd, off, len) {
  assertAvailable()
  const out = descriptorOf(outFd, 'outFd')
  const input = descriptorOf(inFd, 'inFd')
  const offset = validateOffset(off, 'off')
  if (validateLength(len, 'len') === 0) return 0
  if (hasQueuedBytes(outFd)) return EAGAIN
  return addon.sendfile(out, input, offset, len)
}

function submit (outFd, inFd, off, len, answer) {
  assertAvailable()
  const out = descriptorOf(outFd, 'outFd')
  const input = descriptorOf(inFd, 'inFd')
  const offset = validateOffset(off, 'off')
  if (validateLength(len, 'len') === 0) process.nextTick(answer, 0)
  else if (hasQueuedBytes(outFd)) process.nextTick(answer, EAGAIN)
  else submitSendfile(out, input, offset, len, answer)
}

function sendfile (outFd, inFd, off, len, callback) {
  if (callback !== undefined) {
    validateFunction(callback, 'callback')
    submit(outFd, inFd, off, len, (result, syscall = 'sendfile') => {
      if (result < 0) callback(refused(result, syscall))
      else callback(null, result)
    })
    return
  }
  const result = trySendfile(outFd, inFd, off, len)
  if (result < 0) throw systemError(result, 'sendfile', sendfile)
  return result
}

/** The error is made here rather than where the answer arrives, so that its stack names the caller. */
async function sendfileAsync (outFd, inFd, off, len) {
  const { result, syscall } = await new Promise((resolve) => {
    submit(outFd, inFd, off, len, (result, syscall = 'sendfile') => resolve({ result, syscall }))
  })
  if (result < 0) throw refused(result, syscall)
  return result
}
Object.defineProperty(sendfileAsync, 'name', { value: 'sendfile' })
Object.defineProperty(sendfile, promisify.custom, { value: sendfileAsync })

module.exports = { sendfile, sendfileAsync, trySendfile }
