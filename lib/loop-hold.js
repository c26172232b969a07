'use strict'

// What waits for a socket keeps the process alive as long as the socket may, as a pending write does.

const { isReferenced } = require('./descriptor')

/** The requests that wait for each socket that ever had one. */
const waiting = new WeakMap()

/** Makes `request` hold the event loop exactly while `socket` is referenced, until the request ends. */
function holdWith (socket, request) {
  let requests = waiting.get(socket)
  if (requests === undefined) {
    waiting.set(socket, requests = new Set())
    follow(socket, 'ref', requests)
    follow(socket, 'unref', requests)
  }
  requests.add(request)
  request.onEnd = () => requests.delete(request)
  request.holdLoop(isReferenced(socket))
}

function follow (socket, method, requests) {
  const original = socket[method]
  const value = (...args) => {
    const result = original.apply(socket, args)
    for (const request of requests) request.holdLoop(isReferenced(socket))
    return result
  }
  Object.defineProperty(socket, method, { value, writable: true, configurable: true })
}

module.exports = { holdWith }
