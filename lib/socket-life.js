'use strict'

// What is under way on a socket shares its life: it keeps the process alive as long as the socket may, as
// a pending write does, and it ends when the socket is destroyed, before its handle is closed. Methods
// rather than events, because listeners can be removed.

const net = require('node:net')
const { isReferenced } = require('./descriptor')
const { Methods } = require('./methods')

const NONE = Object.freeze([])
const kLife = Symbol('sendfile-native.life')

class SocketLife {
  socket
  behind
  requests
  members

  constructor (socket) {
    this.socket = socket
    this.behind = methods.putBefore(socket)
    /** Requests that wait for the socket. */
    this.requests = NONE
    /** Who is told when it is destroyed: `socketDestroyed(err)`. */
    this.members = NONE
  }

  join (member) {
    this.members = added(this.members, member)
  }

  leave (member) {
    remove(this.members, member)
  }

  /** Makes `request` hold the event loop exactly while the socket is referenced, until the request ends. */
  hold (request) {
    this.requests = added(this.requests, request)
    request.life = this
    request.holdLoop(isReferenced(this.socket))
  }

  release (request) {
    remove(this.requests, request)
  }

  referenceChanged () {
    for (const request of this.requests) request.holdLoop(isReferenced(this.socket))
  }

  destroyed (err) {
    const { members } = this
    this.members = NONE
    for (const member of members) member.socketDestroyed(err)
  }
}

/** As a rule there are one or two: an array that was pushed to has room for 17. */
function added (list, element) {
  if (list.length < 4) return list.concat(element)
  list.push(element)
  return list
}

/** What joined first leaves first, as a rule. */
function remove (list, element) {
  const index = list.indexOf(element)
  if (index >= 0) list.splice(index, 1)
}

const methods = new Methods({
  ref () {
    const life = this[kLife]
    const result = life.behind.ref.call(this)
    life.referenceChanged()
    return result
  },
  unref () {
    const life = this[kLife]
    const result = life.behind.unref.call(this)
    life.referenceChanged()
    return result
  },
  _destroy (err, callback) {
    const life = this[kLife]
    life.destroyed(err)
    return life.behind._destroy.call(this, err, callback)
  }
}, net.Socket.prototype)

/** @returns {SocketLife} */
function lifeOf (socket) {
  return (socket[kLife] ??= new SocketLife(socket))
}

module.exports = { lifeOf }
