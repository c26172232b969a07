'use strict'

const { once } = require('node:events')
const { DEFAULT_PORT } = require('./arguments')

/** So many ports are tried, where none was asked for. */
const MOST_TRIES = 100

/**
 * @param {http.Server} server
 * @param {{ host: string, port: number | undefined }} where without a port the usual one, or the next that is free
 */
async function listen (server, { host, port }) {
  for (let next = port ?? DEFAULT_PORT; ; next++) {
    try {
      server.listen({ host, port: next })
      await once(server, 'listening')
      return
    } catch (err) {
      if (err.code !== 'EADDRINUSE' || port !== undefined || next + 1 === DEFAULT_PORT + MOST_TRIES) throw err
    }
  }
}

module.exports = { listen }
