'use strict'

// What calls are made on: files, sockets, messages and streams in all their states, each closed with its case.

const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { Duplex, PassThrough, Readable, Writable } = require('node:stream')
const { pathToFileURL } = require('node:url')

const SIZES = [0, 1, 5000, 70_000, 2 << 20]

/** What destinations fail with by themselves: whose file it was is told just that. */
const failure = new Error('of the destination')

/** A number that is no descriptor of this process. */
const NO_DESCRIPTOR = 999_999

class World {
  async open () {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-api-'))
    this.files = SIZES.map((size) => path.join(this.folder, `${size}.txt`))
    for (const [index, file] of this.files.entries()) fs.writeFileSync(file, Buffer.alloc(SIZES[index], index + 97))
    fs.mkdirSync(path.join(this.folder, 'folder'))
    fs.writeFileSync(path.join(this.folder, 'folder', 'index.html'), 'index')
    fs.writeFileSync(path.join(this.folder, '5000.txt.gz'), 'compressed')
    this.taker = net.createServer((socket) => this.discard(socket)).listen(0, '127.0.0.1')
    /** Who waits for a request, by its number. */
    this.exchanges = new Map()
    this.asks = 0
    this.site = http.createServer((req, res) => this.asked(req, res)).listen(0, '127.0.0.1')
    this.site.on('clientError', (err, socket) => socket.destroy(err))
    await Promise.all([once(this.taker, 'listening'), once(this.site, 'listening')])
  }

  close () {
    this.taker.close()
    this.site.close()
    this.site.closeAllConnections?.()
    fs.rmSync(this.folder, { recursive: true })
  }

  asked (req, res) {
    const number = Number(req.headers['x-number'])
    const came = this.exchanges.get(number)
    this.exchanges.delete(number)
    if (came) came({ req, res })
    else req.resume().on('end', () => res.end()).on('error', () => {})
  }

  discard (socket) {
    socket.on('error', () => {}) // a reset is one of the states
    socket.resume()
  }

  file (random) {
    return random.pick(this.files)
  }

  /** A descriptor of a file, or a number that is none. */
  async input (scope, random) {
    const file = this.file(random)
    return random.pick([
      () => scope.descriptor(file, 'r'),
      () => scope.descriptor(file, 'r'),
      () => NO_DESCRIPTOR,
      async () => scope.handle(await fs.promises.open(file)),
      async () => {
        const handle = scope.handle(await fs.promises.open(file))
        await handle.close()
        return handle
      },
      () => scope.stream(fs.createReadStream(file)),
      async () => {
        const stream = scope.stream(fs.createReadStream(file))
        await once(stream, 'open')
        return stream
      },
      () => scope.descriptor(this.folder, 'r'),
      () => ({ fd: random.pick([null, undefined, -1, NO_DESCRIPTOR, 2 ** 40, 'text', NaN]) })
    ])()
  }

  async output (scope, random) {
    return random.pick([
      () => this.socket(scope, random),
      () => this.socket(scope, random),
      () => scope.descriptor(path.join(this.folder, 'written'), 'w'),
      () => scope.descriptor('/dev/null', 'w'),
      () => scope.stream(fs.createWriteStream(path.join(this.folder, 'written'))),
      () => this.writable(scope, random),
      () => this.input(scope, random)
    ])()
  }

  async socket (scope, random) {
    const state = random.pick(['open', 'open', 'open', 'connecting', 'destroyed', 'ended', 'corked', 'queued', 'unref', 'never',
      'failed', 'paused', 'proxy', 'inherited', 'wrapped', 'reset'])
    const socket = state === 'never' ? new net.Socket() : net.connect(this.taker.address().port, '127.0.0.1')
    this.discard(socket)
    scope.after(() => socket.destroy())
    if (state === 'never' || state === 'connecting') return socket
    await once(socket, 'connect')
    const change = {
      destroyed: () => socket.destroy(),
      ended: () => socket.end(),
      corked: () => { socket.cork(); socket.write('corked') },
      queued: () => socket.write(Buffer.alloc(3 << 20)),
      unref: () => socket.unref(),
      failed: () => socket.destroy(failure),
      paused: () => socket.pause(),
      wrapped: () => { socket.write = (...args) => net.Socket.prototype.write.apply(socket, args) },
      reset: () => socket.resetAndDestroy?.()
    }
    change[state]?.()
    if (state === 'proxy') return new Proxy(socket, {})
    return state === 'inherited' ? Object.create(socket) : socket
  }

  /** A request, as a server has it: `{ req, res }`. */
  async exchange (scope, random) {
    const { port } = this.site.address()
    const socket = net.connect(port, '127.0.0.1')
    this.discard(socket)
    scope.after(() => socket.destroy())
    const number = ++this.asks
    const came = new Promise((resolve) => this.exchanges.set(number, resolve))
    const fields = ['Host: x', `X-Number: ${number}`, ...['Range: bytes=0-9', 'Range: bytes=1-2,5-', 'If-None-Match: *', 'If-Match: "x"',
      'Accept-Encoding: gzip', 'Cache-Control: no-cache', 'If-Range: x', 'If-Modified-Since: x'].filter(() => random.chance(0.15))]
    const url = random.pick(['/', '/5000.txt', '/70000.txt', '/0.txt', '/folder', '/folder/', '/none', '/..%2f', '/%00', '/%ff', '//'])
    socket.write(`${random.pick(['GET', 'GET', 'HEAD'])} ${url} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
    const { req, res } = await came
    scope.after(() => res.socket?.destroy())
    scope.after(() => res.destroy())
    res.on('error', () => {})
    random.pick([() => {}, () => {}, () => {}, () => res.writeHead(200), () => res.flushHeaders(), () => res.end(),
      () => res.destroy(), () => res.cork(), () => res.write('before'), () => { res.statusCode = 304 }, () => socket.destroy(),
      () => res.setHeader('Content-Length', random.pick(['5', '5000', 'x'])), () => res.setHeader('Transfer-Encoding', 'chunked'),
      () => res.setHeader('ETag', ['"a"', '"b"']), () => { res.write = (...args) => http.ServerResponse.prototype.write.apply(res, args) }
    ])()
    return { req, res }
  }

  /** A Writable that is no socket. */
  writable (scope, random) {
    const maker = random.pick([
      () => new PassThrough(), () => new PassThrough({ highWaterMark: 1 }), () => new PassThrough({ objectMode: true }),
      () => new Writable({ write: (chunk, encoding, callback) => setImmediate(callback) }),
      () => new Writable({ write: (chunk, encoding, callback) => callback(failure) }),
      () => new Writable({ write: (chunk, encoding, callback) => callback(), final: (callback) => callback(failure) }),
      () => new Writable({ write () { throw failure } }),
      () => new Duplex({ read () {}, write: (chunk, encoding, callback) => callback() }),
      () => new Writable({ construct: (callback) => setImmediate(callback, failure), write () {} }),
      () => new Readable({ read () {} })
    ])
    const stream = scope.stream(maker())
    stream.resume?.()
    random.pick([() => {}, () => {}, () => {}, () => stream.destroy(), () => stream.end?.(), () => stream.cork?.(),
      () => stream.destroy(failure)])()
    return stream
  }

  /** One that a stream can be piped to. */
  taking (scope, random) {
    const stream = this.writable(scope, random)
    return typeof stream.write === 'function' ? stream : scope.stream(new PassThrough().resume())
  }

  request (scope) {
    const request = http.request({ port: this.site.address().port, host: '127.0.0.1', method: 'POST', agent: false })
    request.on('error', () => {}).on('response', (response) => response.resume())
    scope.after(() => request.destroy())
    return request
  }

  async destination (scope, random) {
    return random.pick([
      () => this.socket(scope, random),
      async () => (await this.exchange(scope, random)).res,
      () => this.writable(scope, random),
      () => scope.stream(fs.createWriteStream(path.join(this.folder, 'written')))
    ])()
  }

  async source (scope, random) {
    const file = this.file(random)
    return random.pick([() => file, () => file, () => Buffer.from(file), () => pathToFileURL(file), () => path.join(this.folder, 'none'),
      () => this.folder, () => '/dev/null', () => this.input(scope, random)])()
  }
}

/** What is closed with a case. */
class Scope {
  constructor () {
    this.cleanups = []
  }

  after (cleanup) {
    this.cleanups.push(cleanup)
  }

  descriptor (file, flags) {
    const fd = fs.openSync(file, flags)
    this.after(() => fs.closeSync(fd))
    return fd
  }

  handle (handle) {
    this.after(() => handle.close())
    return handle
  }

  stream (stream) {
    stream.on('error', () => {})
    this.after(() => stream.destroy())
    return stream
  }

  async close () {
    for (const cleanup of this.cleanups.reverse()) await cleanup()
  }
}

module.exports = { NO_DESCRIPTOR, failure, Scope, World }
