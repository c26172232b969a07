'use strict'

// A small HTTP server on transferFile: downloads with ranges and resume from one folder.
//   node examples/http.js <port> <folder>     (HOST=0.0.0.0 for other machines)

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { transferFile } = require('sendfile-native')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: http <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = folder(process.argv[3])

function folder (name) {
  try {
    return fs.realpathSync(name)
  } catch (err) {
    console.error(err.message)
    process.exit(1)
  }
}

async function serve (req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') return fail(res, 405, { Allow: 'GET, HEAD' })
  let handle
  try {
    const name = decodeURIComponent(new URL(req.url, 'http://localhost').pathname)
    const file = fs.realpathSync(path.join(root, name))
    if (!file.startsWith(root + path.sep)) return fail(res, 404)
    // The file that is described is the file that is sent: both from one descriptor.
    handle = await fs.promises.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (!stat.isFile()) return fail(res, 404)

    const range = rangeOf(req.headers, stat)
    if (range === null) return fail(res, 416, { 'Content-Range': `bytes */${stat.size}` })
    res.setHeader('Accept-Ranges', 'bytes')
    res.setHeader('Last-Modified', stat.mtime.toUTCString())
    res.setHeader('Content-Type', 'application/octet-stream')
    if (range !== undefined) {
      res.statusCode = 206
      res.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${stat.size}`)
    }
    const { bytesSent, zeroCopy } = await transferFile(res, handle, range)
    console.log(`${req.method} ${req.url} ${res.statusCode} ${bytesSent} bytes${zeroCopy ? '' : ', copied'}`)
  } catch (err) {
    // Before the head left, the response is still ours; afterwards the connection has been ended.
    if (!res.headersSent) fail(res, err.code === 'ENOENT' || err.code === 'ENOTDIR' ? 404 : 500)
    console.error(`${req.method} ${req.url}: ${err.message}, after ${err.bytesSent ?? 0} bytes`)
  } finally {
    await handle?.close()
  }
}

/** One range of bytes: undefined when there is none to regard, null when it cannot be satisfied (RFC 9110, 14.2). */
function rangeOf (headers, { size, mtime }) {
  // Who resumes says of which version: of another there is no rest, only the whole.
  if ((headers['if-range'] ?? mtime.toUTCString()) !== mtime.toUTCString()) return undefined
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (first === undefined || (first === '' && last === '')) return undefined
  if (first === '') return Number(last) === 0 || size === 0 ? null : { start: Math.max(size - Number(last), 0), end: size - 1 }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start < size ? { start, end } : null
}

function fail (res, status, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'text/plain', ...headers })
  res.end(`${http.STATUS_CODES[status]}\n`)
}

const server = http.createServer(serve)
server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
server.listen(port, process.env.HOST ?? '127.0.0.1', () => {
  console.log(`Serving ${root} on port ${server.address().port}`)
})
process.once('SIGINT', () => { server.close(); server.closeAllConnections() })
