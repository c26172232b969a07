'use strict'

// The ways by which a file leaves, and how each may break off. Each asserts what arrived, and returns how many bytes it
// compared, and how many faults it put in.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { PassThrough, pipeline } = require('node:stream')
const {
  EAGAIN, createReadStream, promises, sendfile, stats, transferFile, trySendfile, watchWritable
} = require('sendfile-native')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { assertBytes, assertPrefix, readAll, untilStalled } = require('./world')

const KIB = 1 << 10
const MIB = 1 << 20

/** Long enough that no socket's buffers take it whole. */
const LONG = 12 * MIB

/** One file over HTTP. */
async function message (world, size, options) {
  const file = world.file(size)
  const { body } = await world.answer((request, response) => transferFile(response, file.path, options))
  file.remove()
  return { bytes: assertBytes(body, file.bytes) }
}

/** A long file to a client that reads only after `meanwhile(...)`, and what each end saw. */
async function stalled (world, meanwhile, options) {
  const file = world.file(LONG)
  const { here, there } = await world.connection()
  const call = transferFile(here, file.path, options).then((result) => ({ result }), (err) => ({ err }))
  await untilStalled(here)
  await meanwhile({ file, here, there })
  const arrived = there.destroyed ? Buffer.alloc(0) : await readAll(there)
  const { result, err } = await call
  file.remove()
  here.destroy()
  return { file, arrived, result, err }
}

/** The kernel forgets the file's pages; on a file system in memory it cannot. */
function forget (file) {
  const env = { PATH: process.env.PATH } // without the runtime of a sanitizer
  execFileSync('sync', [file], { env })
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'], { env })
}

const ways = {
  inline: (world) => message(world, 20 * KIB),
  inlineLong: (world) => message(world, MIB),
  reactor: (world) => message(world, 3 * MIB),
  empty: (world) => message(world, 0),
  copied: (world) => message(world, 300 * KIB, { zeroCopy: false }),

  async descriptor (world) {
    const file = world.file(200 * KIB)
    const handle = await fs.promises.open(file.path)
    const options = { start: 1000, end: 150_000 }
    const { body } = await world.answer((request, response) => transferFile(response, handle, options))
    await handle.close()
    file.remove()
    return { bytes: assertBytes(body, file.bytes.subarray(1000, 150_001)) }
  },

  async cold (world) {
    const file = world.file(2 * MIB)
    forget(file.path)
    const before = stats().fetches
    const { body } = await world.answer((request, response) => transferFile(response, file.path))
    file.remove()
    const note = stats().fetches === before ? 'no cold file: its file system keeps it in memory' : undefined
    return { bytes: assertBytes(body, file.bytes), note }
  },

  async writable (world) {
    const file = world.file(100 * KIB)
    const destination = new PassThrough()
    const call = transferFile(destination, file.path)
    const chunks = []
    for await (const chunk of destination) chunks.push(chunk)
    await call
    file.remove()
    return { bytes: assertBytes(Buffer.concat(chunks), file.bytes) }
  },

  async stream (world) {
    const file = world.file(2 * MIB)
    const { body } = await world.answer((request, response) => {
      pipeline(createReadStream(file.path), response, () => {})
    })
    file.remove()
    return { bytes: assertBytes(body, file.bytes) }
  },

  async slowReader (world) {
    const { file, arrived, result } = await stalled(world, () => {})
    assert.equal(result.bytesSent, LONG)
    return { bytes: assertBytes(arrived, file.bytes) }
  },

  async queue (world) {
    const files = Array.from({ length: 8 }, (_, i) => world.file((i + 1) * 30 * KIB))
    const { here, there } = await world.connection()
    const expected = []
    const calls = files.map((file, i) => {
      const text = Buffer.from(`before ${i}\n`)
      here.write(text)
      expected.push(text, file.bytes)
      return transferFile(here, file.path, { endDestination: i === files.length - 1 })
    })
    const arrived = await readAll(there)
    await Promise.all(calls)
    for (const file of files) file.remove()
    return { bytes: assertBytes(arrived, Buffer.concat(expected)) }
  },

  async served (world) {
    const file = world.file(50 * KIB)
    const handler = serveStatic(world.folder)
    let bytes = 0
    const get = (headers, path = `/${file.name}`) => world.answer(handler, { headers, path })
    bytes += assertBytes((await get({})).body, file.bytes)
    const range = await get({ Range: 'bytes=100-4999' })
    assert.equal(range.status, 206)
    bytes += assertBytes(range.body, file.bytes.subarray(100, 5000))
    const several = await get({ Range: 'bytes=0-9999,20000-29999,-5000' })
    assert.equal(several.status, 206)
    for (const [from, to] of [[0, 10_000], [20_000, 30_000], [50 * KIB - 5000, 50 * KIB]]) {
      assert.ok(several.body.includes(file.bytes.subarray(from, to)), `the range from ${from}`)
      bytes += to - from
    }
    const { etag } = range.headers
    assert.equal((await get({ 'If-None-Match': etag })).status, 304)
    for (const name of ['/missing', '/%00', '/../passwd', '/%2e%2e/passwd']) {
      const { status } = await world.answer((request, response) => handler(request, response), { path: name })
      assert.ok(status >= 400 && status < 500, `${name}: ${status}`)
    }
    const whole = await world.answer((request, response) => serveFile(request, response, file.path))
    bytes += assertBytes(whole.body, file.bytes)
    file.remove()
    return { bytes, faults: 4 }
  },

  async calls (world) {
    const file = world.file(64 * KIB)
    const { here, there } = await world.connection()
    const fd = fs.openSync(file.path)
    assert.equal(sendfile(here, fd, 0, 1000), 1000)
    assert.equal(trySendfile(here, fd, 1000n, 1000), 1000)
    assert.equal(await promises.sendfile(here, fd, 2000, 1000), 1000)
    assert.equal(await promises.sendfile(here, fd, null, 1000), 1000) // from its own position, which was 0
    await assert.rejects(promises.sendfile(here, 1_000_000, 0, 1), { code: 'EBADF' })
    fs.closeSync(fd)
    here.end()
    const arrived = await readAll(there)
    file.remove()
    const expected = Buffer.concat([file.bytes.subarray(0, 3000), file.bytes.subarray(0, 1000)])
    return { bytes: assertBytes(arrived, expected), faults: 1 }
  },

  async watched (world) {
    const file = world.file(MIB)
    const { here, there } = await world.connection()
    const fd = fs.openSync(file.path)
    let sent = 0
    let n
    while ((n = trySendfile(here, fd, sent % MIB, MIB - sent % MIB)) > 0) sent += n
    assert.equal(n, EAGAIN)
    watchWritable(here)
    const drained = once(here, 'drain')
    const arriving = readAll(there)
    await drained
    fs.closeSync(fd)
    here.end()
    const arrived = await arriving
    file.remove()
    for (let at = 0; at < arrived.length; at += MIB) assertPrefix(arrived.subarray(at, at + MIB), file.bytes)
    return { bytes: arrived.length }
  },

  async watchForgotten (world) {
    const file = world.file(MIB)
    const { here, there } = await world.connection()
    const fd = fs.openSync(file.path)
    while (trySendfile(here, fd, 0, MIB) > 0);
    fs.closeSync(fd)
    watchWritable(here)
    here.destroy()
    await once(here, 'close')
    there.destroy()
    file.remove()
    return { faults: 1 }
  },

  async aborted (world) {
    const controller = new AbortController()
    const { file, arrived, err } = await stalled(world, () => controller.abort(), { signal: controller.signal })
    assert.equal(err.name, 'AbortError')
    return { bytes: assertPrefix(arrived, file.bytes), faults: 1 }
  },

  async destroyed (world) {
    const { file, arrived, err } = await stalled(world, ({ here }) => here.destroy())
    assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
    return { bytes: assertPrefix(arrived, file.bytes), faults: 1 }
  },

  async reset (world) {
    const { err } = await stalled(world, ({ there }) => there.resetAndDestroy())
    assert.ok(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(err.code), err.code)
    return { faults: 1 }
  },

  async truncated (world) {
    const { file, arrived, err } = await stalled(world, ({ file }) => fs.truncateSync(file.path, 0))
    assert.equal(err.code, 'ERR_SENDFILE_TRUNCATED')
    return { bytes: assertPrefix(arrived, file.bytes), faults: 1 }
  },

  async missing (world) {
    const { here, there } = await world.connection()
    await assert.rejects(transferFile(here, `${world.folder}/missing`), { code: 'ENOENT' })
    here.destroy()
    there.destroy()
    await assert.rejects(transferFile(new net.Socket(), `${world.folder}/missing`))
    return { faults: 2 }
  },

  async many (world) {
    const sizes = Array.from({ length: 16 }, (_, i) => (i * 40 + 1) * KIB)
    const all = await Promise.all(sizes.map((size) => message(world, size)))
    return { bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) }
  }
}

module.exports = { ways }
