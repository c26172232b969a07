'use strict'

// One call of transferFile: its file, what it settles, and who is told. How the bytes reach the
// destination is its subclasses' business.

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const net = require('node:net')
const { performance } = require('node:perf_hooks')
const { isForeignRuntime, processReason } = require('./eligibility')
const { aborted, destinationClosed, unavailable } = require('./errors')
const { openFile } = require('./open-file')
const { lifeOf } = require('./socket-life')

const PROGRESS_MS = 100

/** What sendfile(2) says of a file that it cannot send; src/transfer knows the same. */
const REFUSALS = new Set(['EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'EPERM'])

const channels = {
  start: diagnostics.channel('sendfile-native:start'),
  end: diagnostics.channel('sendfile-native:end'),
  error: diagnostics.channel('sendfile-native:error')
}

/** One connection's error may fail several calls: each has its own, with its own count. */
function withBytesSent (err, bytesSent) {
  const own = err.bytesSent === undefined ? err : Object.assign(new err.constructor(err.message, { cause: err }), err)
  own.bytesSent = bytesSent
  return own
}

/** Its own async resource: the context that everything of the call runs in. */
class FileTransfer extends AsyncResource {
  destination
  source
  settings
  resolve
  reject
  began
  reason
  list
  isSettled = false
  isOpening = false
  /** The file, or why there is none, from when it is opened until its turn has come. */
  opened = null
  whenOpen = null
  /** The file, from when its turn has come. */
  file = null
  offset = 0
  length = 0
  timer = null
  listeners = null
  life = null

  constructor (destination, source, settings, resolve, reject) {
    super('SENDFILETRANSFER')
    this.destination = destination
    this.source = source
    this.settings = settings
    this.resolve = resolve
    this.reject = reject
    this.began = performance.now()
    /** Why the bytes are copied, or null. */
    this.reason = settings.zeroCopy ? processReason() : 'disabled'
    /** Several parts of it, and bytes between them, instead. */
    this.list = settings.list ?? null
    if (settings.signal) {
      this.listen(settings.signal, 'abort', () => {
        const err = aborted(settings.signal.reason)
        this.fail(err)
        this.abort(err)
      })
    }
    // A descriptor is duplicated now: what the caller does with it afterwards changes nothing.
    if (typeof source === 'number') this.startOpening()
  }

  /** Bytes that were sent. */
  progress () {
    return 0
  }

  /** What an abort does to the destination, depending on how far it is. */
  abort () {}

  /** Called once, when it is settled. */
  release () {}

  startOpening () {
    this.isOpening = true
    openFile(this.source, this, (err, file) => {
      this.opened = { err, file }
      if (this.isSettled) this.closeUnused()
      if (this.whenOpen !== null) this.proceed()
    })
  }

  /** Opens the file: `then(err)`, later. After a failure, or an abort, it is settled. */
  open (then) {
    this.whenOpen = then
    if (this.isSettled || this.opened !== null) process.nextTick(() => this.proceed())
    else if (!this.isOpening) this.startOpening()
  }

  proceed () {
    const { whenOpen } = this
    const { err: failure, file } = this.opened ?? {} // nothing: it was settled meanwhile
    this.opened = this.whenOpen = null
    let err = failure
    if (file) {
      this.take(file)
      // A file system that cannot do without is known by now.
      if (this.file.isCopied) err = this.refusal('unsupported-file')
    }
    if (err) this.fail(err)
    try {
      whenOpen(err)
    } catch (err) { // of a destination that does not take the bytes after all
      this.fail(err)
    }
  }

  take (file) {
    const { start, end, onProgress } = this.settings
    this.file = file
    this.offset = Math.min(start, file.size)
    this.length = this.list?.length ?? Math.max(Math.min(end + 1, file.size) - this.offset, 0)
    this.publish(channels.start)
    if (onProgress) {
      this.timer = setInterval(() => this.tell(this.progress()), PROGRESS_MS)
      this.timer.unref()
    }
  }

  /** In the async context of the call, whoever ended it. */
  publish (channel, more) {
    if (channel.hasSubscribers) this.runInAsyncScope(channel.publish, channel, { ...this.message(), ...more })
  }

  tell (bytesSent) {
    try {
      this.runInAsyncScope(this.settings.onProgress, undefined, bytesSent, this.length)
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

  /** All bytes have gone: ends the destination, where that was asked for. */
  complete () {
    try {
      if (this.settings.endDestination) this.destination.end()
    } catch (err) { // of who replaced `end`
      this.failWith(err)
      return
    }
    this.succeed()
  }

  /** Fails, and the destination with it. */
  failWith (err) {
    this.fail(err)
    this.destroyDestination()
  }

  destroyDestination () {
    this.destination.destroy?.()
  }

  succeed () {
    if (this.isSettled) return
    this.isSettled = true
    const bytesSent = this.length
    if (this.reason === null && bytesSent > 0 && this.file.isCopied) this.reason = 'unsupported-file'
    this.file.recheck(this, (changed) => {
      const { onProgress } = this.settings
      const result = { bytesSent, zeroCopy: this.reason === null, reason: this.reason, changed }
      this.publish(channels.end, result)
      if (onProgress) this.tell(bytesSent)
      this.cleanUp()
      this.resolve(result)
    })
  }

  fail (err) {
    if (this.isSettled) return
    this.isSettled = true
    const error = withBytesSent(this.refusedByKernel(err) ?? err, this.progress())
    this.publish(channels.error, { error })
    this.cleanUp()
    this.reject(error)
  }

  cleanUp () {
    this.release()
    this.file?.close()
    this.closeUnused()
    clearInterval(this.timer)
    this.life?.leave(this)
    for (const { target, event, listener } of this.listeners ?? []) {
      try {
        if (isEventTarget(target)) target.removeEventListener(event, listener)
        else target.off(event, listener)
      } catch (err) { // of a signal that is not Node's
        process.nextTick(() => { throw err }) // as in `tell`: the call settles all the same
      }
    }
  }

  /** Opened, but its turn never came. */
  closeUnused () {
    this.opened?.file?.close()
    this.opened = null
  }

  message () {
    const { destination, source, offset, length } = this
    const duration = performance.now() - this.began
    return { destination, file: typeof source === 'number' ? source : source.toString(), offset, length, duration }
  }

  /** The next such event, until it is settled. */
  listen (target, event, listener) {
    if (isEventTarget(target)) target.addEventListener(event, listener)
    else target.once(event, listener)
    this.remember(target, event, listener)
  }

  /** Each such event, until it is settled. */
  listenOn (emitter, event, listener) {
    emitter.on(event, listener)
    this.remember(emitter, event, listener)
  }

  remember (target, event, listener) {
    this.listeners = [...this.listeners ?? [], { target, event, listener }]
  }

  /** Fails the call when the destination closes before it has settled. */
  failOnClose (destination) {
    if (destination instanceof net.Socket && !isForeignRuntime) {
      // Many calls may wait for one connection: no listener each.
      this.life = lifeOf(destination)
      this.life.join(this)
    } else {
      this.listen(destination, 'close', () => this.fail(destinationClosed()))
    }
  }

  socketDestroyed (err) {
    this.fail(destinationClosed(err))
  }
}

function isEventTarget (target) {
  return typeof target.addEventListener === 'function'
}

module.exports = { FileTransfer, channels, withBytesSent }
