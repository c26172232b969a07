'use strict'

const { AsyncResource } = require('node:async_hooks')
const { Socket } = require('node:net')
const { assertAvailable } = require('./binding')
const { descriptorOfSocket } = require('./descriptor')
const { submitWatch } = require('./environment')
const { invalidArgType } = require('./errors')
const { lifeOf } = require('./socket-life')

const NO_BYTES = Buffer.alloc(0)

/** The watch of each socket that ever had one. */
const watches = new WeakMap()

function watchWritable (socket) {
  assertAvailable()
  if (!(socket instanceof Socket)) throw invalidArgType('socket', 'an instance of net.Socket', socket)
  descriptorOfSocket(socket, 'socket')
  let watch = watches.get(socket)
  if (watch === undefined) watches.set(socket, watch = new Watch(socket))
  watch.start()
}

/** Waits for the JavaScript queue first, then for the kernel, and emits 'drain'. */
class Watch {
  socket
  /** The context to emit in, while a watch is pending. */
  resource = null
  /** The kernel's part, while it is what we wait for. */
  request = null

  constructor (socket) {
    this.socket = socket
    lifeOf(socket).join(this)
  }

  start () {
    if (this.resource !== null) return
    this.resource = new AsyncResource('SENDFILEWATCH')
    this.proceed()
  }

  proceed () {
    if (this.socket.writableLength > 0) {
      this.awaitQueue()
      return
    }
    try {
      const fd = descriptorOfSocket(this.socket, 'socket')
      this.request = submitWatch(fd, this.resource, () => this.ready())
    } catch (err) {
      this.stop()
      throw err
    }
    lifeOf(this.socket).hold(this.request)
  }

  /** An empty chunk behind the others: when it is written, so are they. */
  awaitQueue () {
    const { socket, resource } = this
    const written = () => {
      if (this.resource !== resource) return // the socket was destroyed
      try {
        this.proceed()
      } catch {
        // The system refused, where nobody could catch it: after 'drain', the next call will tell.
        resource.runInAsyncScope(() => socket.emit('drain'))
      }
    }
    if (socket.writableEnded) socket.once('finish', written)
    else socket.write(NO_BYTES, written)
  }

  ready () {
    this.request = null
    if (this.socket.writableLength > 0) {
      this.awaitQueue()
      return
    }
    this.stop()
    this.socket.emit('drain')
  }

  socketDestroyed () {
    this.stop()
  }

  stop () {
    this.resource = null
    this.request?.cancel()
    this.request = null
  }
}

module.exports = { watchWritable }
