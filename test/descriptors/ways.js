'use strict'

// The ways of sending a file, each of which opens and closes descriptors of its own, and closes them as soon as it
// may: what is used after that is somebody else's.

const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { constants: { errno } } = require('node:os')
const { EAGAIN, sendfile, transferFile, trySendfile, watchWritable } = require('sendfile-native')

const AT_ONCE = 256 * 1024

/** What a connection that the peer has left, or a file that became shorter, may end a call with. */
const EXPECTED = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED',
  'ERR_SENDFILE_TRUNCATED', 'ERR_SENDFILE_NO_DESCRIPTOR', 'ERR_STREAM_WRITE_AFTER_END'])

function systemError (number) {
  const code = Object.keys(errno).find((name) => errno[name] === -number)
  return Object.assign(new Error(`sendfile: ${code}`), { code })
}

/** Another number for the same open file's inode. */
function reopen (fd) {
  return fs.openSync(`/proc/self/fd/${fd}`)
}

async function transferDescriptor (out, file) {
  const fd = fs.openSync(file)
  const sent = transferFile(out, fd)
  fs.closeSync(fd)
  await sent
}

async function transferHandle (out, file) {
  const handle = await fs.promises.open(file)
  if (out.destroyed) return handle.close()
  await Promise.all([transferFile(out, handle), handle.close()])
}

/** Until the socket takes more, or has gone: whether it is there. */
async function writable (socket) {
  if (socket.destroyed) return false
  watchWritable(socket)
  const signal = new AbortController()
  const over = once(socket, 'close', { signal: signal.signal }).catch(() => {})
  const more = once(socket, 'drain', { signal: signal.signal }).catch(() => {})
  await Promise.race([over, more])
  signal.abort()
  return !socket.destroyed
}

/** What a call refused: whether it may be made again. */
async function mayGoOn (socket, errno) {
  if (errno !== EAGAIN) throw systemError(errno)
  return writable(socket)
}

/** By the synchronous call, as a program of its own would. */
async function pump (socket, file) {
  const fd = fs.openSync(file)
  try {
    for (let offset = 0; ;) {
      const sent = trySendfile(socket, fd, offset, AT_ONCE)
      if (sent === 0 || (sent < 0 && !await mayGoOn(socket, sent))) break
      offset += Math.max(sent, 0)
    }
  } finally {
    fs.closeSync(fd)
  }
  if (!socket.destroyed) socket.end()
}

/** By the asynchronous call: the number that it was given is closed while it is under way. */
async function pumpAsync (socket, file) {
  let fd = fs.openSync(file)
  try {
    for (let offset = 0; !socket.destroyed;) {
      const next = reopen(fd)
      const called = new Promise((resolve, reject) => {
        try {
          sendfile(socket, fd, offset, AT_ONCE, (err, bytes) => resolve(err ? err.errno : bytes))
        } catch (err) {
          reject(err)
        }
      })
      fs.closeSync(fd)
      fd = next
      const sent = await called
      if (sent === 0 || (sent < 0 && !await mayGoOn(socket, sent))) break
      offset += Math.max(sent, 0)
    }
  } finally {
    fs.closeSync(fd)
  }
  if (!socket.destroyed) socket.end()
}

function pipeToSocket (socket, file) {
  return piped(fs.createReadStream(file), socket)
}

/** The length that is promised is that of the descriptor that is sent. */
function pipeToResponse (res, file) {
  const fd = fs.openSync(file)
  const { size } = fs.fstatSync(fd)
  res.setHeader('Content-Length', size)
  return piped(fs.createReadStream('', { fd, start: 0, end: Math.max(size - 1, 0) }), res)
}

function piped (stream, out) {
  return new Promise((resolve, reject) => {
    stream.on('error', reject).on('close', resolve)
    stream.pipe(out)
  })
}

const http = {
  p: transferFile,
  h: transferHandle,
  d: transferDescriptor,
  r: pipeToResponse
}

const raw = {
  p: transferFile,
  h: transferHandle,
  d: transferDescriptor,
  r: pipeToSocket,
  y: pump,
  a: pumpAsync
}

/** Answers raw connections: a line, `<way> <file>`. What should not be goes to `failed`. */
function answerLine (folder, failed) {
  return (socket) => {
    socket.on('error', (err) => { if (!EXPECTED.has(err.code)) failed(err) })
    let text = ''
    socket.setEncoding('latin1').on('data', (data) => {
      text += data
      if (!text.endsWith('\n')) return
      const [way, name] = text.trim().split(' ')
      text = ''
      send(raw[way], socket, path.join(folder, name), failed)
    })
    socket.on('end', () => { if (text !== '' || socket.bytesRead === 0) socket.end() })
  }
}

async function send (way, out, file, failed) {
  try {
    await way(out, file)
  } catch (err) {
    if (!EXPECTED.has(err.code)) failed(err)
    out.destroy()
  }
}

module.exports = { EXPECTED, answerLine, http, send }
