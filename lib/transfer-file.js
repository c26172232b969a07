'use strict'

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const net = require('node:net')
const { copy } = require('./copy')
const { isOutgoingMessage, sendOnMessage } = require('./http-message')
const { equip } = require('./equipped-socket')
const { isForeignRuntime, processReason, socketReason } = require('./eligibility')
const { aborted, destinationClosed, invalidArgType, unavailable } = require('./errors')
const { openFile, sourceOf } = require('./open-file')
const { transferOptions } = require('./options')
const { Region } = require('./region')
const { lifeOf } = require('./socket-life')
const { count } = require('./stats')

const PROGRESS_MS = 100

/** What sendfile(2) says of a file that it cannot send; src/transfer knows the same. */
const REFUSALS = new Set(['EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'EPERM'])

const channels = {
  start: diagnostics.channel('sendfile-native:start'),
  end: diagnostics.channel('sendfile-native:end'),
  error: diagnostics.channel('sendfile-native:error')
}

async function transferFile (destination, file, options) {
  const settings = transferOptions(options)
  const source = sourceOf(file)
  const send = senderFor(destination)
  if (settings.signal?.aborted) throw withBytesSent(aborted(settings.signal.reason), 0)
  if (destination.destroyed || destination.writableEnded) throw withBytesSent(destinationClosed(), 0)
  return await new Promise((resolve, reject) => {
    send(new FileTransfer(destination, source, settings, resolve, reject))
  })
}

/** How each kind of destination is served. */
function senderFor (destination) {
  if (destination instanceof net.Socket) return isForeignRuntime ? sendOnWritable : sendOnSocket
  if (isOutgoingMessage(destination)) return sendOnMessage
  const isWritable = typeof destination === 'object' && destination !== null &&
    ['write', 'end', 'on'].every((method) => typeof destination[method] === 'function')
  if (isWritable) return sendOnWritable
  throw invalidArgType('destination',
    'an instance of net.Socket, http.ServerResponse, http.ClientRequest, or Writable', destination)
}

/** One connection's error may fail several calls: each has its own, with its own count. */
function withBytesSent (err, bytesSent) {
  const own = err.bytesSent === undefined ? err : Object.assign(new err.constructor(err.message, { cause: err }), err)
  own.bytesSent = bytesSent
  return own
}

/** One call: its file, what it settles, and who is told. */
class FileTransfer {
  constructor (destination, source, settings, resolve, reject) {
    this.destination = destination
    this.source = source
    this.settings = settings
    this.resource = new AsyncResource('SENDFILETRANSFER')
    this.file = null
    this.offset = 0
    this.length = 0
    /** Why the bytes are copied, or null. */
    this.reason = settings.zeroCopy ? processReason() : 'disabled'
    this.isSettled = false
    this.progress = () => 0
    this.resolve = resolve
    this.reject = reject
    /** What an abort does, depending on how far it is. */
    this.onAbort = () => {}
    this.cleanups = []
    this.began = process.hrtime.bigint()
    if (settings.signal) {
      const abort = () => {
        const err = aborted(settings.signal.reason)
        this.fail(err)
        this.onAbort(err)
      }
      settings.signal.addEventListener('abort', abort, { once: true })
      this.cleanups.push(() => settings.signal.removeEventListener('abort', abort))
    }
    // A descriptor is duplicated now: what the caller does with it afterwards changes nothing.
    this.opening = typeof source === 'number' ? this.startOpening() : null
  }

  startOpening () {
    return new Promise((resolve) => {
      openFile(this.source, this.resource, (err, file) => resolve({ err, file }))
    })
  }

  /** Opens the file: `opened(err)`, later. After a failure, or an abort, it is settled. */
  open (opened) {
    this.opening ??= this.startOpening()
    this.opening.then(({ err, file }) => {
      if (err) this.fail(err)
      else if (!this.isSettled) this.take(file)
      // A file system that cannot do without is known by now.
      const refused = this.file?.native?.copied ? this.refusal('unsupported-file') : null
      if (refused) this.fail(refused)
      opened(err ?? refused)
    }).catch((err) => this.fail(err)) // what a destination threw that does not take the bytes after all
  }

  take (file) {
    const { start, end, onProgress } = this.settings
    this.file = file
    this.offset = Math.min(start, file.size)
    this.length = Math.max(Math.min(end + 1, file.size) - this.offset, 0)
    this.cleanups.push(() => file.close())
    if (channels.start.hasSubscribers) channels.start.publish(this.message())
    if (onProgress) {
      const timer = setInterval(() => this.tell(this.progress()), PROGRESS_MS)
      timer.unref()
      this.cleanups.push(() => clearInterval(timer))
    }
  }

  tell (bytesSent) {
    try {
      this.resource.runInAsyncScope(this.settings.onProgress, undefined, bytesSent, this.length)
    } catch (err) {
      process.nextTick(() => { throw err }) // an uncaught exception, and nobody else's failure
    }
  }

  /** The error for a destination that would need copying, when that was ruled out; or null. */
  refusal (reason) {
    if (reason === null || this.settings.fallback) return null
    const err = unavailable(`Zero copy is not possible here: ${reason}`)
    err.reason = reason
    return err
  }

  /** The kernel refused a file that was not to be copied. */
  refusedByKernel (err) {
    if (err.syscall !== 'sendfile' || !REFUSALS.has(err.code)) return null
    const refused = this.refusal('unsupported-file')
    if (refused) refused.cause = err
    return refused
  }

  succeed () {
    if (this.isSettled) return
    this.isSettled = true
    const bytesSent = this.length
    if (this.reason === null && this.file.native?.copied && bytesSent > 0) this.reason = 'unsupported-file'
    this.file.recheck((changed) => {
      const { onProgress } = this.settings
      const result = { bytesSent, zeroCopy: this.reason === null, reason: this.reason, changed }
      if (channels.end.hasSubscribers) channels.end.publish({ ...this.message(), ...result })
      if (onProgress) this.tell(bytesSent)
      this.cleanUp()
      this.resolve(result)
    })
  }

  fail (err) {
    if (this.isSettled) return
    this.isSettled = true
    const error = withBytesSent(this.refusedByKernel(err) ?? err, this.progress())
    if (channels.error.hasSubscribers) channels.error.publish({ ...this.message(), error })
    this.cleanUp()
    this.reject(error)
  }

  cleanUp () {
    for (const cleanup of this.cleanups) cleanup()
    // Opened, but its turn never came.
    if (this.file === null) this.opening?.then(({ file }) => file?.close())
  }

  message () {
    const { destination, source, offset, length } = this
    const duration = Number(process.hrtime.bigint() - this.began) / 1e6
    return { destination, file: typeof source === 'number' ? source : source.toString(), offset, length, duration }
  }

  /** Fails the call when the destination closes before it has settled. */
  failOnClose (destination) {
    if (destination instanceof net.Socket && !isForeignRuntime) {
      // Many calls may wait for one connection: no listener each.
      const destroyed = (err) => this.fail(destinationClosed(err))
      const { onDestroy } = lifeOf(destination)
      onDestroy.add(destroyed)
      this.cleanups.push(() => onDestroy.delete(destroyed))
    } else {
      const closed = () => this.fail(destinationClosed())
      destination.once('close', closed)
      this.cleanups.push(() => destination.off('close', closed))
    }
  }
}

/** One chunk in the socket's queue, a placeholder, for a file that is opened when its turn comes. */
function sendOnSocket (transfer) {
  const { destination: socket, settings } = transfer
  if (!socket.connecting) transfer.reason ??= socketReason(socket)
  const refused = transfer.refusal(transfer.reason)
  if (refused) return transfer.fail(refused)
  const region = new Region({
    resource: transfer.resource,
    refusal: (reason) => transfer.refusal(reason),
    open: (region, opened) => transfer.open((err) => {
      if (err || transfer.isSettled) {
        region.settle(err ?? destinationClosed())
      } else {
        region.file = transfer.file
        region.offset = transfer.offset
        region.length = transfer.length
        transfer.progress = () => region.progress()
      }
      opened()
    }),
    settled: (err) => {
      transfer.reason ??= region.copied
      if (err) {
        transfer.fail(err)
        return
      }
      if (settings.endDestination) socket.end()
      transfer.succeed()
    }
  })
  region.copies = transfer.reason
  region.mayCopy = settings.fallback
  transfer.onAbort = (err) => {
    if (region.begun) socket.destroy()
    else region.settle(err)
  }
  transfer.failOnClose(socket)
  equip(socket)
  socket.write(region.asChunk(1), (err) => { if (err) region.settle(err) })
}

/** Piece by piece, as the destination takes them. */
function sendOnWritable (transfer) {
  const { destination, settings } = transfer
  transfer.reason ??= destination.stream?.session || destination.session ? 'http2' : 'not-a-socket'
  const refused = transfer.refusal(transfer.reason)
  if (refused) return transfer.fail(refused)
  count.fallback(transfer.reason)
  transfer.failOnClose(destination)
  let copying = null
  transfer.cleanups.push(() => copying?.stop())
  transfer.onAbort = () => { if (copying !== null) destination.destroy?.() }
  transfer.open((err) => {
    if (err || transfer.isSettled) return
    if (destination.stream?.headRequest || destination.statusCode === 204 || destination.statusCode === 304) {
      transfer.length = 0 // HTTP/2: the head is all
    }
    const write = (bytes, written) => destination.write(bytes, (err) => written(err ?? null))
    transfer.progress = () => copying?.sent ?? 0
    copying = copy(transfer.file, transfer.offset, transfer.length, write, (err) => {
      if (err) {
        transfer.fail(err)
        destination.destroy?.()
        return
      }
      if (settings.endDestination) destination.end()
      transfer.succeed()
    })
  })
}

module.exports = { transferFile }
