'use strict'

// A folder served by node:http and fs.createReadStream(), with ranges and If-Modified-Since.
//   node --require sendfile-native/register examples/plain.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Nothing in this program knows of sendfile-native: without `--require` it does the same by copying.
// A video of the folder: http://127.0.0.1:<port>/video.html?file=<name>

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

if (process.argv.length < 4 || !/^\d+$/.test(process.argv[2]) || process.argv[2] > 65535) {
  console.error('usage: plain <port> <folder>')
  process.exit(1)
}

const port = Number(process.argv[2])
const root = path.resolve(process.argv[3])
const types = {
  '.html': 'text/html; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.wav': 'audio/wav',
  '.webm': 'video/webm'
}

async function serve (req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') return fail(res, 405, { Allow: 'GET, HEAD' })
  const file = fileOf(req.url)
  const stat = file === null ? null : await fs.promises.stat(file).catch(() => null)
  if (res.destroyed) return // the client has left meanwhile
  if (!stat?.isFile()) return fail(res, 404)

  res.setHeader('Accept-Ranges', 'bytes')
  res.setHeader('Last-Modified', stat.mtime.toUTCString())
  res.setHeader('Content-Type', types[path.extname(file).toLowerCase()] ?? 'application/octet-stream')
  const modified = Math.floor(stat.mtimeMs / 1000) * 1000
  if (modified <= Date.parse(req.headers['if-modified-since'])) return res.writeHead(304).end()

  const range = rangeOf(req.headers, stat)
  if (range === null) return fail(res, 416, { 'Content-Range': `bytes */${stat.size}` })
  const { start, end } = range ?? { start: 0, end: stat.size - 1 }
  if (range !== undefined) {
    res.statusCode = 206
    res.setHeader('Content-Range', `bytes ${start}-${end}/${stat.size}`)
  }
  res.setHeader('Content-Length', end - start + 1)
  if (req.method === 'HEAD' || stat.size === 0) return res.end()
  const stream = fs.createReadStream(file, { start, end })
  stream.on('error', () => res.destroy())
  res.on('close', () => stream.destroy())
  stream.pipe(res)
}

/** The file that a URL means, or null. */
function fileOf (url) {
  let name
  try {
    name = decodeURIComponent(new URL(url, 'http://localhost').pathname)
  } catch {
    return null
  }
  if (name === '/video.html') return path.join(__dirname, 'video.html')
  const file = path.join(root, name)
  return file.startsWith(root + path.sep) ? file : null
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
