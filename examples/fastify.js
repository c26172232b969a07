'use strict'

// A folder served by Fastify: by @fastify/static, and by reply.sendFile under /files/.
//   node --require sendfile-native/register examples/fastify.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Nothing in this program knows of sendfile-native: without `--require` it does the same by copying.

const path = require('node:path')
const fastifyStatic = require('@fastify/static')
const fastify = require('fastify')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: fastify <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = path.resolve(process.argv[3])

const app = fastify({ forceCloseConnections: true })
app.register(fastifyStatic, { root })
app.get('/files/*', (request, reply) => reply.sendFile(request.params['*']))

app.listen({ port, host: process.env.HOST ?? '127.0.0.1' }, (err) => {
  if (err) { console.error(err.message); process.exit(1) } // such as a port in use
  console.log(`Serving ${root} on port ${app.server.address().port}`)
})
process.once('SIGINT', () => app.close())
