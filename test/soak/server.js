'use strict'

// The server, a process of its own: http and raw connections, each on TCP and on a unix socket, that do with
// transferFile what the client's plan says. Argument: the folder of the files.

const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { condition } = require('./condition')
const { Expected, textOf } = require('./model')
const { send, sourceOf } = require('./send')

const [folder] = process.argv.slice(2)
let connections = 0

function failed (id, message) {
  process.send({ failure: { id, message: `server: ${message}` } })
}

process.on('warning', (warning) => failed(null, warning.stack))
process.on('unhandledRejection', (err) => failed(null, `unhandled: ${err?.stack}`))
process.on('uncaughtException', (err) => failed(null, `uncaught: ${err?.stack}`))
process.on('disconnect', () => process.exit())

/** A response: the request's URL is its plan. */
async function respond (req, res) {
  const request = JSON.parse(decodeURIComponent(req.url.slice(1)))
  res.on('error', () => {}) // the client has gone: transferFile tells it too
  res.setHeader('X-Id', request.id)
  try {
    if (request.kind === 'json') answer(res, 200, { id: request.id, pad: 'x'.repeat(request.size) })
    else if (request.kind === 'upload') await receive(req, res, request)
    else await sendSteps(res, request)
  } catch (err) {
    failed(request.id, err.stack)
    res.destroy()
  }
}

function answer (res, status, value) {
  const text = JSON.stringify(value)
  res.statusCode = status
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Content-Length', Buffer.byteLength(text)) // which Node does not say to HEAD by itself
  res.end(text)
}

async function sendSteps (res, request) {
  const { id, method, framing, status = 200, steps, cork } = request
  const length = steps.reduce((sum, step) => sum + step.length, 0)
  res.statusCode = status
  if (framing === 'chunked') res.setHeader('Transfer-Encoding', 'chunked')
  // The second form leaves nothing for getHeader('content-length') to find.
  else if (framing === 'length') res.writeHead(status, { 'Content-Length': length })
  if (cork) {
    res.cork()
    setImmediate(() => res.uncork())
  }
  const hasNoBody = method === 'HEAD' || status === 204 || status === 304
  for (const [index, step] of steps.entries()) {
    if (!step.name) {
      res.write(textOf(step))
      continue
    }
    const source = await sourceOf(folder, step)
    const err = await send(res, source, step, {
      endDestination: request.kind === 'file' || (index === steps.length - 1 && steps.length % 2 === 0),
      length: hasNoBody ? 0 : step.length,
      failed: (message) => failed(id, message)
    })
    if (err?.name === 'AbortError' && !res.destroyed && !res.headersSent) {
      // Nothing of it had been queued: the response is as it was.
      res.removeHeader('Transfer-Encoding')
      answer(res, 499, { id, aborted: true })
      return
    }
    if (err) {
      if (!res.destroyed && res.socket && !res.socket.destroyed && err.name !== 'AbortError') {
        failed(id, `the response was left open after ${err.stack}`)
      }
      res.destroy()
      return
    }
  }
  if (!res.writableEnded) res.end()
}

/** An upload, compared with the model. */
async function receive (req, res, upload) {
  const expected = new Expected(upload.steps)
  let wrong = null
  let hasPaused = upload.pause === undefined
  req.on('error', () => {}) // the client has gone
  req.on('data', (bytes) => {
    if (wrong) return
    try {
      expected.take(bytes)
    } catch (err) {
      wrong = err.message
      failed(upload.id, `of the upload: ${wrong}`)
    }
    if (!hasPaused) {
      hasPaused = true
      req.pause()
      setTimeout(() => req.resume(), upload.pause)
    }
    if (expected.bytes > upload.refuseAt && !res.headersSent) {
      res.setHeader('Connection', 'close')
      answer(res, 413, { bytes: expected.bytes })
      res.once('finish', () => req.socket?.destroy())
    }
  })
  await Promise.race([once(req, 'end'), once(req, 'close')]).catch(() => {})
  if (!req.complete || res.headersSent) return
  answer(res, 200, { bytes: expected.bytes, ok: !wrong && expected.isComplete })
}

/** A raw connection: each line that comes is a list of steps. */
function converse (socket) {
  let text = ''
  let queue = Promise.resolve()
  socket.on('error', () => {}) // 'close' follows
  socket.setEncoding('utf8').on('data', (data) => {
    const lines = (text + data).split('\n')
    text = lines.pop()
    for (const line of lines) queue = queue.then(() => queueSteps(socket, JSON.parse(line)))
  })
  socket.on('end', () => { queue = queue.then(() => { if (!socket.writableEnded) socket.end() }) })
}

/** Resolves when all of it is in the socket's queue. */
async function queueSteps (socket, { id, steps, end, cork }) {
  const sources = await Promise.all(steps.map((step) => step.name ? sourceOf(folder, step) : null))
  if (socket.destroyed) return sources.forEach((source) => source?.close())
  if (cork) {
    socket.cork()
    setImmediate(() => socket.uncork())
  }
  const settled = steps.map((step, index) => {
    if (!step.name) {
      socket.write(textOf(step))
      return null
    }
    const isLast = end === true && index === steps.length - 1
    return send(socket, sources[index], step, { endDestination: isLast, failed: (message) => failed(id, message) })
  })
  if (end && !steps.at(-1).name) socket.end()
  await Promise.all(settled)
}

async function main () {
  const places = {}
  const servers = {
    http: http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => { respond(req, res) }),
    raw: net.createServer({ allowHalfOpen: true }, converse)
  }
  servers.http.httpAllowHalfOpen = true // else a client that has ended gets no more responses, files or not
  for (const [name, server] of Object.entries(servers)) {
    places[name] = []
    server.on('connection', (socket) => {
      connections++
      socket.on('close', () => connections--)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    places[name].push({ port: server.address().port, host: '127.0.0.1' })
    // A server listens at one place only: this one hands its connections on.
    const unix = net.createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket))
    unix.listen(path.join(folder, `${name}.socket`))
    await once(unix, 'listening')
    places[name].push({ path: path.join(folder, `${name}.socket`) })
  }
  process.on('message', () => process.send({ condition: { ...condition(), connections } }))
  process.send({ places })
}

main()
