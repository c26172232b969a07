'use strict'

// createReadStream: what is piped to a connection goes as regions, everything else as bytes. What fs's streams do in
// random programs, and ours with them, is test/differential's.

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const { PassThrough, Readable, pipeline } = require('node:stream')
const { pathToFileURL } = require('node:url')
const { ReadStream, createReadStream, stats } = require('sendfile-native')
const { MIB, connection, digest, open, sha256, temporaryFile, test, until } = require('./helpers')
const {
  answersIn, ask, assertBytes, assertPrefix, connect, exchange, get, isNative, serve, untilReleased,
  untilStalled
} = require('./helpers/http')

/** More than one region holds, and than sockets do. */
const LARGE = 20 * MIB + 77

/** Asserts, when called, how many bytes went as regions since. */
function watchRegions () {
  const before = stats().streams.bytes
  return (expected) => assert.equal(stats().streams.bytes - before, isNative ? expected : 0, 'bytes in regions')
}

/** The bytes of a chunk: those of a region are not there. */
function bytesIn (chunk) {
  assert.equal(chunk.length, Uint8Array.prototype.slice.call(chunk).length, 'a chunk has the bytes that it claims')
  assert.equal(Buffer.concat([chunk]).length, chunk.length)
  return chunk
}

test('a file of any size, piped to a response, arrives and bypasses the heap', async (t) => {
  for (const size of [1, 100, 70_000, 8 * MIB, 8 * MIB + 1, LARGE]) {
    const file = temporaryFile(t, size)
    const { port } = await serve(t, (req, res) => {
      if (req.url === '/framed') res.setHeader('Content-Length', size)
      createReadStream(file.path).pipe(res)
    })
    const assertRegions = watchRegions()
    assertBytes((await get(t, port, '/')).body, file.bytes)
    assertBytes((await get(t, port, '/framed')).body, file.bytes)
    assertRegions(2 * size)
    await untilReleased(file.path)
  }
})

test('ranges and every kind of source', async (t) => {
  const file = temporaryFile(t, LARGE)
  const handles = []
  const sources = {
    path: (options) => createReadStream(file.path, options),
    buffer: (options) => createReadStream(Buffer.from(file.path), options),
    url: (options) => createReadStream(pathToFileURL(file.path), options),
    descriptor: (options) => createReadStream('', { ...options, fd: fs.openSync(file.path) }),
    constructor: (options) => new ReadStream(file.path, options),
    call: (options) => ReadStream(file.path, options),
    handle: async (options) => {
      const handle = await fs.promises.open(file.path)
      handles.push(handle)
      return createReadStream('', { ...options, fd: handle })
    }
  }
  const ranges = [[0, 0], [1, 100], [5 * MIB, LARGE - 1], [0, LARGE], [LARGE - 1, LARGE + 9]]
  const { port } = await serve(t, async (req, res) => {
    const [, kind, start, end] = req.url.split('/')
    const stream = await sources[kind]({ start: Number(start), end: Number(end) })
    assert.ok(stream instanceof fs.ReadStream && stream instanceof ReadStream)
    stream.pipe(res)
  })
  for (const kind of Object.keys(sources)) {
    for (const [start, end] of ranges) {
      const assertRegions = watchRegions()
      const expected = file.bytes.subarray(start, end + 1)
      assertBytes((await get(t, port, `/${kind}/${start}/${end}`)).body, expected, `${kind} from ${start} to ${end}`)
      assertRegions(expected.length)
    }
  }
  await untilReleased(file.path)
})

test('a descriptor without start begins at its position, and moves it', async (t) => {
  const file = temporaryFile(t, 200_000)
  const fd = open(t, file.path)
  fs.readSync(fd, Buffer.alloc(1000))
  const { port } = await serve(t, (req, res) => createReadStream('', { fd, end: 49_999, autoClose: false }).pipe(res))
  assertBytes((await get(t, port, '/')).body, file.bytes.subarray(1000, 51_000))
  assertBytes((await get(t, port, '/')).body, file.bytes.subarray(51_000, 101_000))
})

test('pipelined and kept-alive responses, files and small answers mixed, HEAD and empty files', async (t) => {
  const large = temporaryFile(t, 5 * MIB)
  const small = temporaryFile(t, 3000)
  const empty = temporaryFile(t, 0)
  const files = { '/large': large, '/small': small, '/empty': empty }
  const { port } = await serve(t, (req, res) => {
    if (req.url === '/text') return res.end('text')
    const { path, bytes } = files[req.url]
    if (req.headers.framed) res.setHeader('Content-Length', bytes.length)
    pipeline(createReadStream(path), res, () => {})
  })
  const asked = ['/large', '/text', '/small', '/empty', '/large', '/small', '/text']
  for (const headers of [[], ['Framed: yes']]) {
    for (const method of ['GET', 'HEAD']) {
      const requests = asked.map((path, i) => ask(path, { method, headers, last: i === asked.length - 1 }))
      const answers = answersIn(await exchange(t, port, ...requests), asked.map(() => method))
      assert.equal(answers.length, asked.length)
      if (method === 'HEAD') continue
      for (const [i, path] of asked.entries()) {
        assertBytes(answers[i].body, path === '/text' ? Buffer.from('text') : files[path].bytes, path)
      }
    }
  }
  for (const { path } of [large, small, empty]) await untilReleased(path)
})

test('a raw socket, and several files on it', async (t) => {
  const file = temporaryFile(t, LARGE)
  const { here, there } = await connection(t)
  const assertRegions = watchRegions()
  const send = async () => {
    for (let i = 0; i < 3; i++) {
      const stream = createReadStream(file.path)
      stream.pipe(here, { end: i === 2 })
      await once(stream, 'end')
      if (i < 2) here.write('|')
    }
  }
  const [arrived] = await Promise.all([digest(there), send()])
  const expected = Buffer.concat([file.bytes, Buffer.from('|'), file.bytes, Buffer.from('|'), file.bytes])
  assert.deepEqual(arrived, { sha256: sha256(expected), length: expected.length })
  assertRegions(3 * LARGE)
  await untilReleased(file.path)
})

/** Who wants bytes, alone or beside a pipe: gives what it got. */
const readers = {
  data: (stream) => collect(stream),
  readable: (stream) => new Promise((resolve) => {
    const chunks = []
    stream.on('readable', () => {
      for (let chunk; (chunk = stream.read()) !== null;) chunks.push(bytesIn(chunk))
    })
    stream.on('end', () => resolve(Buffer.concat(chunks)))
  }),
  iteration: async (stream) => {
    const chunks = []
    for await (const chunk of stream) chunks.push(bytesIn(chunk))
    return Buffer.concat(chunks)
  },
  transform: (stream) => collect(stream.pipe(new PassThrough())),
  web: async (stream) => {
    const chunks = []
    // eslint-disable-next-line n/no-unsupported-features/node-builtins
    for await (const chunk of Readable.toWeb(stream)) chunks.push(bytesIn(Buffer.from(chunk)))
    return Buffer.concat(chunks)
  },
  encoding: (stream) => new Promise((resolve) => {
    let text = ''
    stream.setEncoding('latin1').on('data', (chunk) => { text += chunk }).on('end', () => resolve(Buffer.from(text, 'latin1')))
  })
}

function collect (stream) {
  return new Promise((resolve) => {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(bytesIn(chunk)))
    stream.on('end', () => resolve(Buffer.concat(chunks)))
  })
}

/** All that arrives at a paused client. */
function arriving (client) {
  const bytes = collect(client)
  client.resume()
  return bytes
}

test('whoever wants bytes gets bytes', async (t) => {
  const file = temporaryFile(t, 300_000)
  for (const [name, read] of Object.entries(readers)) {
    assertBytes(await read(createReadStream(file.path)), file.bytes, name)
  }
  await untilReleased(file.path)
})

test('whoever comes later gets what follows as bytes, and the pipe loses none', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const late = {
    data: (stream) => collect(stream),
    pipe: (stream) => collect(stream.pipe(new PassThrough()))
  }
  for (const [name, read] of Object.entries(late)) {
    let reading
    const { port, sockets } = await serve(t, (req, res) => {
      const stream = createReadStream(file.path)
      stream.pipe(res)
      stream.once('pause', () => { reading = read(stream) })
    })
    const client = connect(t, port)
    client.pause().write(ask('/', { version: '1.0' }))
    await until(() => sockets.size === 1)
    await untilStalled([...sockets][0])
    const [answer] = answersIn(await arriving(client))
    assertBytes(answer.body, file.bytes, `what the pipe got, with ${name}`)
    const got = await reading
    assert.ok(got.length < file.bytes.length, 'what had been handed to the pipe stays there')
    assertBytes(got, file.bytes.subarray(-got.length), `what ${name} got`)
  }
  await untilReleased(file.path)
})

test('unpipe in the middle, and another pipe: every byte goes to one of them', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const first = await connection(t)
  const second = await connection(t)
  const stream = createReadStream(file.path)
  stream.pipe(first.here)
  await once(stream, 'pause')
  stream.unpipe(first.here)
  first.here.end()
  stream.pipe(second.here)
  const [head, tail] = await Promise.all([arriving(first.there), arriving(second.there)])
  assert.ok(head.length > 0 && tail.length > 0)
  assertBytes(Buffer.concat([head, tail]), file.bytes)
  await untilReleased(file.path)
})

test('pause and resume by the user, with the position where it is', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const stream = createReadStream(file.path)
  stream.pipe(here)
  let pauses = 0
  stream.on('data', function once () {
    // Somebody looks once: from here on it is bytes for a moment, and regions again.
    stream.off('data', once)
    pauses++
    stream.pause()
    setImmediate(() => stream.resume())
  })
  assertBytes(await arriving(there), file.bytes)
  assert.equal(pauses, 1)
  assert.equal(stream.bytesRead, file.bytes.length)
})

test('TLS, replaced methods, an encoding and the option fs: bytes', async (t) => {
  const file = temporaryFile(t, 200_000)
  const seen = []
  const cases = {
    '/wrapped': (stream, res) => {
      const { write } = res
      res.write = function (chunk, ...args) {
        seen.push(bytesIn(chunk))
        return write.call(this, chunk, ...args)
      }
      return stream
    },
    '/push': (stream) => {
      stream.push = function (chunk) {
        if (chunk !== null) bytesIn(chunk)
        return ReadStream.prototype.push.call(this, chunk)
      }
      return stream
    },
    '/encoding': () => createReadStream(file.path, { encoding: 'latin1' }),
    '/fs': () => createReadStream(file.path, { fs: { ...fs } })
  }
  const { port } = await serve(t, (req, res) => cases[req.url](createReadStream(file.path), res).pipe(res))
  const assertRegions = watchRegions()
  for (const path of Object.keys(cases)) {
    const expected = path === '/encoding' ? Buffer.from(file.bytes.toString('latin1')) : file.bytes
    assertBytes((await get(t, port, path)).body, expected, path)
  }
  assertBytes(Buffer.concat(seen), file.bytes, 'what the wrapper saw')
  assertRegions(0)
})

test('a client that goes takes the stream with it; after unpipe() it stays, and with autoClose: false', { skip: !isNative && 'fs leaves it open' }, async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const streams = {}
  const { port } = await serve(t, (req, res) => {
    const options = req.url === '/kept' ? { autoClose: false } : {}
    const stream = streams[req.url] = createReadStream(file.path, options)
    stream.pipe(res)
    if (req.url === '/unpiped') stream.once('pause', () => stream.unpipe(res))
  })
  for (const path of ['/gone', '/kept', '/unpiped']) {
    const client = connect(t, port)
    client.write(ask(path))
    await once(client, 'data')
    client.pause()
    if (path === '/unpiped') await until(() => streams[path]._readableState.pipes.length === 0)
    client.resetAndDestroy()
  }
  await until(() => streams['/gone'].closed)
  await until(() => ['/kept', '/unpiped'].every((path) => streams[path]._readableState.pipes.length === 0))
  for (const path of ['/kept', '/unpiped']) {
    assert.equal(streams[path].destroyed, false)
    fs.fstatSync(streams[path].fd)
    streams[path].destroy()
  }
  await untilReleased(file.path)
})

test('a response that was promised more than its file had ends its connection', { skip: !isNative && 'fs leaves it open' }, async (t) => {
  const file = temporaryFile(t, 100_000)
  const { port } = await serve(t, (req, res) => {
    if (req.url === '/next') return res.end('the next response')
    res.setHeader('Content-Length', file.bytes.length + 1)
    createReadStream(file.path).pipe(res)
  })
  const [answer, ...others] = answersIn(await exchange(t, port, ask('/', { last: false }), ask('/next', { last: false })))
  assertBytes(answer.body, file.bytes)
  assert.deepEqual(others, [])
})

test('a file that is truncated under its response ends the connection', { skip: !isNative && 'fs leaves it open' }, async (t) => {
  const file = temporaryFile(t, 30 * MIB)
  let stream
  const { port, sockets } = await serve(t, (req, res) => {
    res.setHeader('Content-Length', file.bytes.length)
    stream = createReadStream(file.path)
    stream.pipe(res)
  })
  const client = connect(t, port)
  client.pause().write(ask('/', { last: false }) + ask('/', { last: false }))
  await until(() => sockets.size === 1)
  await untilStalled([...sockets][0])
  fs.truncateSync(file.path, 1000)
  const closed = once(client, 'close')
  client.resume()
  let length = 0
  client.on('data', (chunk) => { length += chunk.length })
  await closed
  assert.ok(length < file.bytes.length)
  await until(() => stream.closed)
  await untilReleased(file.path)
})

test('a file that grows while it is sent: what was there when its end was reached', async (t) => {
  const file = temporaryFile(t, 30 * MIB)
  const { here, there } = await connection(t)
  createReadStream(file.path).pipe(here)
  await untilStalled(here)
  fs.appendFileSync(file.path, 'more')
  assertBytes(await arriving(there), Buffer.concat([file.bytes, Buffer.from('more')]))
})

test('files whose size is said to be 0 arrive', async (t) => {
  const { port } = await serve(t, (req, res) => createReadStream('/proc/self/cmdline').pipe(res))
  assertBytes((await get(t, port, '/')).body, fs.readFileSync('/proc/self/cmdline'))
})

test('clients that abort with three responses pipelined leave nothing open', { skip: !isNative && 'fs leaves them open' }, async (t) => {
  const file = temporaryFile(t, 8 * MIB)
  const { port } = await serve(t, (req, res) => {
    res.setHeader('Content-Length', file.bytes.length)
    pipeline(createReadStream(file.path), res, () => {})
  })
  await Promise.all(Array.from({ length: 50 }, async (_, i) => {
    const client = connect(t, port)
    client.write(ask('/', { last: false }).repeat(3))
    if (i % 3 > 0) await once(client, 'readable')
    if (i % 2 === 0) client.resetAndDestroy()
    else client.destroy()
  }))
  await untilReleased(file.path)
})

test('a stream that is destroyed in the middle: what was handed on arrives, as it is', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { here, there } = await connection(t)
  const stream = createReadStream(file.path)
  stream.pipe(here)
  await once(stream, 'pause')
  stream.destroy()
  await once(stream, 'close')
  here.end()
  assertPrefix(await arriving(there), file.bytes)
  await untilReleased(file.path)
})

test('what cannot be opened is the same error as of fs', async (t) => {
  const errors = await Promise.all([createReadStream, fs.createReadStream].map(async (create) => {
    const { here } = await connection(t)
    const stream = create('/does/not/exist')
    stream.pipe(here)
    const [err] = await once(stream, 'error')
    return { ...err, message: err.message, name: err.name }
  }))
  assert.deepEqual(errors[0], errors[1])
  for (const [path, options] of [[1, undefined], ['a', { start: -1 }], ['a', { start: 2, end: 1 }], ['a', 'no-encoding']]) {
    const thrown = [createReadStream, fs.createReadStream].map((create) => {
      try {
        create(path, options).destroy()
      } catch (err) {
        return { name: err.name, code: err.code, message: err.message }
      }
    })
    assert.deepEqual(thrown[0], thrown[1])
    assert.ok(thrown[0])
  }
})

test('each of 1,000 interleaved requests keeps its own AsyncLocalStorage, also in finish and close', async (t) => {
  const storage = new AsyncLocalStorage()
  const file = temporaryFile(t, 300_000)
  const wrong = []
  const { port } = await serve(t, (req, res) => storage.run(req.url, () => {
    const stream = createReadStream(file.path)
    const check = (where) => { if (storage.getStore() !== req.url) wrong.push([req.url, where, storage.getStore()]) }
    stream.on('end', () => check('end')).on('close', () => check('stream close'))
    res.on('finish', () => check('finish')).on('close', () => check('close'))
    stream.pipe(res)
  }))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 40 })
  t.after(() => agent.destroy())
  let next = 0
  const client = async () => {
    while (next < 1000) {
      const request = http.get({ port, host: '127.0.0.1', path: `/${next++}`, agent })
      const [response] = await once(request, 'response')
      assert.equal((await digest(response)).length, file.bytes.length)
    }
  }
  await Promise.all(Array.from({ length: 40 }, client))
  assert.deepEqual(wrong, [])
})
