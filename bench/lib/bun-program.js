'use strict'

// The server that bench/servers/bun.js starts: bun bench/lib/bun-program.js <folder>

const path = require('node:path')
const { answer } = require('./json-route')

/* eslint n/no-unsupported-features/node-builtins: off -- this does not run in Node */

const { Bun } = globalThis
const folder = process.argv[2]

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  async fetch (request) {
    const name = new URL(request.url).pathname
    if (name === '/json') return new Response(answer(), { headers: { 'Content-Type': 'application/json' } })
    return new Response(Bun.file(path.join(folder, name)))
  },
  error: () => new Response('', { status: 404 })
})
console.log(`on port ${server.port}`)
