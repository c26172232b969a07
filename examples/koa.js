'use strict'

// A folder served by Koa with koa-send, which knows no ranges.
//   node --require sendfile-native/register examples/koa.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Nothing in this program knows of sendfile-native: without `--require` it does the same by copying.

const path = require('node:path')
const Koa = require('koa')
const send = require('koa-send')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: koa <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = path.resolve(process.argv[3])

const app = new Koa()
app.silent = true // a client that leaves is no error
app.use(async (ctx) => {
  await send(ctx, ctx.path, { root })
  if (ctx.fresh) ctx.status = 304
})

const server = app.listen(port, process.env.HOST ?? '127.0.0.1', () => {
  console.log(`Serving ${root} on port ${server.address().port}`)
})
server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
process.once('SIGINT', () => { server.close(); server.closeAllConnections() })
