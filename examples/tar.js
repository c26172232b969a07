'use strict'

// A folder as one .tar, made while it is sent. Its files go from the page cache to the socket and are never read by
// JavaScript, because a tar has sums of its heads only. (A zip has them of its files: somebody would have to read.)
//   node examples/tar.js <port> <folder>     (HOST=0.0.0.0 for other machines)
// Symbolic links are stored as links; FIFOs, sockets and devices are left out. The length of the whole is sent first,
// and a file that changes meanwhile ends the connection: who gets that many bytes has each file as it was.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { transferFile } = require('sendfile-native')
const tar = require('tar')

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants
const END = Buffer.alloc(1024)

const [port, folder, ...rest] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(port) || port > 65535 || !folder || rest.length > 0) {
  console.error('usage: tar <port> <folder>')
  process.exit(2)
}
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(`${folder} is no folder`)
  process.exit(2)
}
const root = fs.realpathSync(folder)
const host = process.env.HOST ?? '127.0.0.1'
const target = `/${encodeURIComponent(path.basename(root) || 'root')}.tar`

/** What the archive has, a folder before what is in it: `{ file, stat, head, padding }`. */
async function* entriesOf (file, name) {
  const stat = await fs.promises.lstat(file)
  if (stat.isFile()) {
    yield { file, stat, head: headOf('File', name, stat), padding: Buffer.alloc(-stat.size & 511) }
  } else if (stat.isSymbolicLink()) {
    yield { head: headOf('SymbolicLink', name, stat, await fs.promises.readlink(file)) }
  } else if (stat.isDirectory()) {
    yield { head: headOf('Directory', `${name}/`, stat) }
    for (const child of (await fs.promises.readdir(file)).sort()) yield* entriesOf(path.join(file, child), `${name}/${child}`)
  }
}

function headOf (type, name, { mode, mtime, size }, linkpath) {
  const fields = { type, path: name, linkpath, mode: mode & 0o7777, mtime, size: type === 'File' ? size : 0 }
  const header = new tar.Header(fields)
  const block = Buffer.alloc(512)
  // What has no room in there (long names, and all that is not ASCII) goes before it.
  if (!header.encode(block)) return block
  return Buffer.concat([new tar.Pax({ path: name, linkpath, size: fields.size }).encode(), block])
}

async function serve (req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(res, 405, { Allow: 'GET, HEAD' })
  if (req.url !== target) return refuse(res, 404)
  try {
    const entries = []
    let length = END.length
    for await (const entry of entriesOf(root, path.basename(root) || '.')) {
      entries.push(entry)
      length += entry.head.length + (entry.file ? entry.stat.size + entry.padding.length : 0)
    }
    res.writeHead(200, { 'Content-Type': 'application/x-tar', 'Content-Length': length })
    if (req.method === 'HEAD') return res.end()
    let copied = 0
    for (const { file, stat, head, padding } of entries) {
      res.write(head)
      if (!file) continue
      const { bytesSent, zeroCopy } = await sendUnchanged(res, file, stat)
      if (!zeroCopy) copied += bytesSent
      res.write(padding)
    }
    res.end(END)
    console.log(`${req.url}: ${entries.length} entries, ${length} bytes, ${copied} of them copied`)
  } catch (err) {
    if (res.headersSent) res.destroy()
    else refuse(res, 500)
    console.error(`${req.url}: ${err.message}`)
  }
}

/** Sends a file, which has to be the one that was announced, before and after. */
async function sendUnchanged (res, file, { dev, ino, size, mtimeMs }) {
  const handle = await fs.promises.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const now = await handle.stat()
    const isSame = now.dev === dev && now.ino === ino && now.size === size && now.mtimeMs === mtimeMs
    if (isSame && size === 0) return { bytesSent: 0, zeroCopy: true }
    const sent = isSame ? await transferFile(res, handle, { end: size - 1, endDestination: false }) : null
    if (sent?.bytesSent !== size || sent.changed) throw new Error(`${file} has changed`)
    return sent
  } finally {
    await handle.close()
  }
}

function refuse (res, status, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'text/plain', ...headers })
  res.end(`${http.STATUS_CODES[status]}\n`)
}

const server = http.createServer(serve)
server.on('error', (err) => { console.error(err.message); process.exitCode = 1 })
server.listen(port, host, () => console.log(`Serving ${root} at http://${host}:${server.address().port}${target}`))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => { server.close(); server.closeAllConnections() })
}
