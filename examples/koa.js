'use strict'

// A folder served by Koa with koa-send, and with ranges, which that does not know.
//   node --require sendfile-native/register examples/koa.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Nothing in this program knows of sendfile-native: without `--require` it does the same by copying.

const fs = require('node:fs')
const path = require('node:path')
const Koa = require('koa')
const send = require('koa-send')
const parseRange = require('range-parser')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: koa <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = path.resolve(process.argv[3])

const app = new Koa()
app.silent = true // a client that leaves is no error
app.use(async (ctx) => {
  const file = await send(ctx, ctx.path, { root })
  if (ctx.fresh) ctx.status = 304
  else if (file) useRange(ctx, file)
})

/** Has one range sent instead of the whole: of a file that has changed since, and of several ranges, the whole is. */
function useRange (ctx, file) {
  const { length: size } = ctx
  ctx.set('Accept-Ranges', 'bytes')
  const isSame = ['', ctx.response.get('Last-Modified')].includes(ctx.get('If-Range'))
  if (!isSame || !ctx.get('Range').startsWith('bytes=')) return
  const ranges = parseRange(size, ctx.get('Range'))
  if (ranges === -1) ctx.throw(416, { headers: { 'Content-Range': `bytes */${size}` } })
  if (ranges.length !== 1) return
  const [{ start, end }] = ranges
  ctx.status = 206
  ctx.body.destroy()
  ctx.body = fs.createReadStream(file, { start, end })
  ctx.set('Content-Range', `bytes ${start}-${end}/${size}`)
  ctx.length = end - start + 1
}

const server = app.listen(port, process.env.HOST ?? '127.0.0.1', () => {
  console.log(`Serving ${root} on port ${server.address().port}`)
})
server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
process.once('SIGINT', () => { server.close(); server.closeAllConnections() })
