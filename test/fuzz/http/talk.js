'use strict'

// One connection: everything is sent, and what comes is collected until it is closed.

const net = require('node:net')

/** So long nothing comes before our end is closed, in milliseconds: then whatever was answered is answered. */
const QUIET_MS = 120
/** So long it may take to close the other end after that. */
const CLOSE_MS = 15_000

/**
 * @param {Buffer[]} pieces each is a write
 * @param {number} patience how many times as long as usual to wait
 * @param {number} abortAfter so many bytes, and the connection is reset; Infinity: never
 * @returns {Promise<{ bytes: Buffer, isHung: boolean, isAborted: boolean, port: number }>} port: ours
 */
function talk (port, pieces, { patience = 1, abortAfter = Infinity } = {}) {
  return new Promise((resolve) => {
    const chunks = []
    let [length, isAborted, own] = [0, false, 0]
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const done = (isHung) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ bytes: Buffer.concat(chunks), isHung, isAborted, port: own })
    }
    const quiet = () => {
      socket.end()
      timer = setTimeout(done, CLOSE_MS, true)
    }
    let timer = setTimeout(quiet, QUIET_MS * patience * 4)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= abortAfter) {
        isAborted = true
        socket.resetAndDestroy?.()
        return done(false)
      }
      if (socket.writableEnded) return
      clearTimeout(timer)
      timer = setTimeout(quiet, QUIET_MS * patience)
    })
    socket.on('error', () => {}) // whoever refuses a request may reset what is left of it
    socket.on('end', () => done(false)).on('close', () => done(false))
    const next = () => {
      const piece = pieces.shift()
      if (piece === undefined || socket.destroyed) return
      socket.write(piece)
      setImmediate(next)
    }
    socket.on('connect', () => {
      own = socket.localPort
      next()
    })
  })
}

module.exports = { talk }
