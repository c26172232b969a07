'use strict'

// Work of the event loop's own, which every server has beside its files.

const MANY = 20

function answer () {
  return JSON.stringify({ time: Date.now(), values: Array.from({ length: MANY }, (_, i) => ({ i, name: `value ${i}` })) })
}

/** Answers /json, and leaves all else to `serveFile`. */
function withJson (serveFile) {
  return (req, res) => {
    if (req.url !== '/json') return serveFile(req, res)
    const body = answer()
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Content-Length', Buffer.byteLength(body))
    res.end(body)
  }
}

module.exports = { answer, withJson }
