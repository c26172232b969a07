'use strict'

// Servers and raw clients for the tests of files as HTTP messages, and what a transfer must say of itself.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { stats } = require('sendfile-native')
const { descriptors, until } = require('.')
const certificate = require('./certificate')

const HOST = '127.0.0.1'

/** Whether this run may send natively: the same tests run with SENDFILE_NATIVE=off. */
const isNative = process.env.SENDFILE_NATIVE !== 'off'

/**
 * A server that goes with the test. What `handler` returns, the promise of a transfer, is kept in `calls`.
 * @param {(options: object, listener: Function) => net.Server} [create]
 */
async function serve (t, handler, { create = http.createServer, ...options } = {}) {
  const calls = []
  const sockets = new Set()
  const server = create(options, (request, response) => {
    const call = handler(request, response)
    if (typeof call?.then !== 'function') return
    call.catch(() => {}) // is looked at later, or not at all
    calls.push(call)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  return { server, port: server.address().port, calls, sockets }
}

/** A client that goes with the test, not reading yet. */
function connect (t, port, options = {}) {
  const socket = net.connect({ port, host: HOST, ...options })
  socket.on('error', () => {}) // resets are part of the tests; 'close' follows
  t.after(() => socket.destroy())
  return socket
}

/** A request as it goes over the wire; the last of a connection says so. */
function ask (path = '/', { method = 'GET', version = '1.1', last = true, headers = [] } = {}) {
  const fields = ['Host: localhost', ...headers, ...(last && version === '1.1' ? ['Connection: close'] : [])]
  return `${method} ${path} HTTP/${version}\r\n${fields.join('\r\n')}\r\n\r\n`
}

/** Everything that comes until the end, be it a reset. */
async function readAll (socket) {
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks)
}

/** Sends requests on one connection; the bytes of all answers. */
function exchange (t, port, ...requests) {
  const socket = connect(t, port)
  socket.write(requests.join(''))
  return readAll(socket)
}

/** One request on a connection of its own: its answer. */
async function get (t, port, path, options) {
  const [answer, ...others] = answersIn(await exchange(t, port, ask(path, options)), [options?.method])
  assert.equal(others.length, 0)
  return answer
}

/** An answer of an https or http client, whole. */
async function answerOf (request) {
  const [response] = await once(request, 'response')
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

function getTls (t, port, path = '/', options = {}) {
  const agent = new https.Agent({ ca: certificate.cert, keepAlive: true })
  t.after(() => agent.destroy())
  return https.request({ host: HOST, port, path, agent, ...options })
}

/** The answers in the bytes of a connection, in order, to requests with these methods. */
function answersIn (bytes, methods = []) {
  const answers = []
  let rest = bytes
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n')
    assert.notEqual(end, -1, `no head in ${rest.subarray(0, 40).toString('latin1')}...`)
    const [line, ...fields] = rest.subarray(0, end).toString('latin1').split('\r\n')
    assert.match(line, /^HTTP\/1\.1 \d{3} /)
    const answer = { status: Number(line.split(' ')[1]), fields, headers: headersOf(fields), chunks: undefined }
    rest = rest.subarray(end + 4)
    const { headers, status } = answer
    let length = Number(headers['content-length'] ?? Infinity)
    if (methods[answers.length] === 'HEAD' || status === 204 || status === 304) length = 0
    if (headers['transfer-encoding'] === 'chunked' && length !== 0) {
      [answer.chunks, rest] = chunksIn(rest)
      answer.body = Buffer.concat(answer.chunks)
    } else {
      answer.body = rest.subarray(0, length)
      rest = rest.subarray(answer.body.length)
    }
    answers.push(answer)
  }
  return answers
}

function headersOf (fields) {
  return Object.fromEntries(fields.map((field) => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  }))
}

/** The chunks of a body, and what follows it. */
function chunksIn (bytes) {
  const chunks = []
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at)
    assert.notEqual(end, -1, 'the body ends in the middle of its framing')
    const size = parseInt(bytes.toString('latin1', at, end), 16)
    assert.ok(size >= 0, 'a chunk has a size')
    at = end + 2 + size
    assert.equal(bytes.toString('latin1', at, at + 2), '\r\n', 'a chunk is as long as it says')
    at += 2
    if (size === 0) return [chunks, bytes.subarray(at)]
    chunks.push(bytes.subarray(end + 2, end + 2 + size))
  }
}

/** As deepEqual, without a report of megabytes. */
function assertBytes (actual, expected, message = 'the bytes of the file') {
  assert.equal(actual.length, expected.length, `${message}: their number`)
  assert.ok(actual.equals(expected), message)
}

/** That what has arrived is how the expected bytes begin. */
function assertPrefix (actual, expected) {
  assert.ok(actual.length <= expected.length)
  assertBytes(actual, expected.subarray(0, actual.length), 'the bytes that arrived')
}

function assertNative ({ zeroCopy, reason }) {
  assert.deepEqual({ zeroCopy, reason }, { zeroCopy: isNative, reason: isNative ? null : 'disabled' })
}

/** @param {string} expected why it was copied */
function assertCopied ({ zeroCopy, reason }, expected) {
  assert.deepEqual({ zeroCopy, reason }, { zeroCopy: false, reason: isNative ? expected : 'disabled' })
}

/** Asserts, when called, that no byte was copied since. */
function watchCopies () {
  const before = stats().bytes.copied
  return () => { if (isNative) assert.equal(stats().bytes.copied - before, 0, 'bytes copied') }
}

/** How many descriptors of this process are open on the file. */
function held (path) {
  return [...descriptors().values()].filter((target) => target === path || target === `${path} (deleted)`).length
}

function untilReleased (path) {
  return until(() => held(path) === 0)
}

/** Waits until the peer of a socket takes no more of what it is being sent. */
async function untilStalled (socket) {
  let looks = 0
  let last = 0
  await until(() => {
    looks = socket.bytesWritten === last && last > 0 ? looks + 1 : 0
    last = socket.bytesWritten
    return looks === 20
  })
}

/** How a call ended: `{ result }` or `{ err }`. */
function outcome (call) {
  return call.then((result) => ({ result }), (err) => ({ err }))
}

module.exports = {
  HOST,
  answerOf,
  answersIn,
  ask,
  assertBytes,
  assertCopied,
  assertNative,
  assertPrefix,
  connect,
  exchange,
  get,
  getTls,
  held,
  isNative,
  outcome,
  readAll,
  serve,
  untilReleased,
  untilStalled,
  watchCopies
}
