'use strict'

// What is under way on a socket shares its life: it keeps the process alive as long as the socket may, as
// a pending write does, and it ends when the socket is destroyed, before its handle is closed. Methods
// rather than events, because listeners can be removed.

const { isReferenced } = require('./descriptor')

const lives = new WeakMap()

class SocketLife {
  constructor (socket) {
    this.socket = socket
    /** Requests that wait for the socket. */
    this.requests = new Set()
    /** Called when the socket is destroyed. */
    this.onDestroy = new Set()
    this.follow('ref', () => {}, () => this.holdLoop())
    this.follow('unref', () => {}, () => this.holdLoop())
    this.follow('_destroy', (err) => { for (const listener of this.onDestroy) listener(err) }, () => {})
  }

  follow (method, before, after) {
    const { socket } = this
    const original = socket[method]
    const value = function (...args) {
      before(...args)
      const result = original.apply(this, args)
      after()
      return result
    }
    Object.defineProperty(socket, method, { value, writable: true, configurable: true })
  }

  /** Makes `request` hold the event loop exactly while the socket is referenced, until the request ends. */
  hold (request) {
    this.requests.add(request)
    request.onEnd = () => this.requests.delete(request)
    request.holdLoop(isReferenced(this.socket))
  }

  holdLoop () {
    for (const request of this.requests) request.holdLoop(isReferenced(this.socket))
  }
}

/** @returns {SocketLife} */
function lifeOf (socket) {
  let life = lives.get(socket)
  if (life === undefined) lives.set(socket, life = new SocketLife(socket))
  return life
}

module.exports = { lifeOf }
