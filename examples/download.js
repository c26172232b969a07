'use strict'

// Downloads from a folder, which can be resumed, and how far each is: on a terminal in its last line, in a log a line
// for each tenth. That much is in the kernel: what of it has reached the client is not known here.
//   node examples/download.js <port> <folder>     (HOST=0.0.0.0 for other machines)

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const etag = require('etag')
const parseRange = require('range-parser')
const { transferFile } = require('sendfile-native')

const [port, folder, ...rest] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(port) || port > 65535 || !folder || rest.length > 0) {
  console.error('usage: download <port> <folder>')
  process.exit(2)
}
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(`${folder} is no folder`)
  process.exit(2)
}
const root = fs.realpathSync(folder)
const host = process.env.HOST ?? '127.0.0.1'

async function serve (req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(res, 405, { Allow: 'GET, HEAD' })
  let handle
  try {
    const name = decodeURIComponent(new URL(req.url, 'http://localhost').pathname)
    const file = await fs.promises.realpath(path.join(root, name))
    if (!file.startsWith(root + path.sep)) return refuse(res, 404)
    // The file that is described is the file that is sent: both from one descriptor.
    handle = await fs.promises.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (!stat.isFile()) return refuse(res, 404)

    const tag = etag(stat, { weak: false })
    const ranges = rangesOf(req.headers, tag, stat.size)
    if (ranges === -1) return refuse(res, 416, { 'Content-Range': `bytes */${stat.size}` })
    const range = ranges.length === 1 ? ranges[0] : undefined // of several none: the whole is an answer, too
    res.setHeader('Accept-Ranges', 'bytes')
    res.setHeader('Content-Disposition', 'attachment') // under the name that the URL ends with
    res.setHeader('Content-Type', 'application/octet-stream')
    res.setHeader('ETag', tag)
    if (range) {
      res.statusCode = 206
      res.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${stat.size}`)
    }
    const { bytesSent, zeroCopy, reason } = await transferFile(res, handle, { ...range, onProgress: progressOf(req) })
    ended(console.log, req, ` ${res.statusCode} ${bytesSent} bytes, ${zeroCopy ? 'zero copy' : `copied: ${reason}`}`)
  } catch (err) {
    // Before the head left, the response is still ours; afterwards it cannot be completed.
    if (res.headersSent) res.destroy()
    else refuse(res, err instanceof URIError ? 400 : ['ENOENT', 'ENOTDIR'].includes(err.code) ? 404 : 500)
    ended(console.error, req, `: ${err.message}, after ${err.bytesSent ?? 0} bytes`)
  } finally {
    await handle?.close()
  }
}

/** The ranges of a request, -1 when none can be satisfied, -2 when there is none to regard. */
function rangesOf (headers, tag, size) {
  // Who resumes says of which version: of another there is no rest, only the whole.
  if (!headers.range?.startsWith('bytes=') || (headers['if-range'] ?? tag) !== tag) return -2
  return parseRange(size, headers.range)
}

function refuse (res, status, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'text/plain', ...headers })
  res.end(`${http.STATUS_CODES[status]}\n`)
}

/** Downloads, and the percents that have been sent of each. */
const underWay = new Map()
const terminal = process.stderr.isTTY ? process.stderr : null

function progressOf (req) {
  return (bytesSent, total) => {
    const percent = total > 0 ? Math.floor(bytesSent / total * 100) : 100
    const isNextTenth = Math.floor(percent / 10) > Math.floor((underWay.get(req) ?? 0) / 10)
    underWay.set(req, percent)
    if (terminal) draw()
    else if (isNextTenth && percent < 100) console.error(`${req.url} ${percent} %`)
  }
}

function draw () {
  const line = Array.from(underWay, ([req, percent]) => `${req.url} ${percent} %`).join(', ')
  terminal.write(`\r\x1b[J${line.slice(0, (terminal.columns || 80) - 1)}`)
}

/** Prints what became of a download, above the last line of the terminal. */
function ended (log, req, text) {
  underWay.delete(req)
  terminal?.write('\r\x1b[J')
  log(`${req.method} ${req.url}${text}`)
  if (terminal) draw()
}

const server = http.createServer(serve)
server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
server.listen(port, host, () => console.log(`Serving ${root} at http://${host}:${server.address().port}/`))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => { server.close(); server.closeAllConnections() })
}
