'use strict'

// The programs of examples/ that know nothing of this package, run with `--require sendfile-native/register`.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { MIB, root, run, sha256, temporaryFolder, test, until } = require('./helpers')
const {
  assertNativeBytes, assertRefusesNoPorts, assertTellsWhyItCannotListen, requiresModules, startExample
} = require('./helpers/example')

const programs = {
  'plain.js': { paths: ['/'], page: true },
  'express.js': { paths: ['/', '/files/'], page: true },
  'fastify.js': { paths: ['/', '/files/'], skip: !requiresModules() && 'Fastify 5 needs Node 20 or later' },
  'koa.js': { paths: ['/'] }
}

const SMALL = 3000
const LARGE = 9 * MIB + 77

/** A folder with a file of each kind: `{ folder, small, large }`. */
function makeFolder (t) {
  const folder = temporaryFolder(t)
  const files = { 'small.bin': crypto.randomBytes(SMALL), 'large.bin': crypto.randomBytes(LARGE), 'empty.bin': Buffer.alloc(0) }
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), bytes)
  return { folder, small: files['small.bin'], large: files['large.bin'] }
}

for (const [name, { paths, page, skip = false }] of Object.entries(programs)) {
  const usage = `usage: ${path.parse(name).name} <port> <folder>\n`

  test(`examples/${name}: files, ranges, HEAD and 304 are the same, and go natively`, { skip }, async (t) => {
    const { folder, small, large } = makeFolder(t)
    const { get, held, end } = await startExample(t, `examples/${name}`, folder)
    let expected = 0
    const whole = async (url, bytes) => {
      const answer = await get(url)
      assert.equal(answer.status, 200, url)
      assert.equal(answer.headers['content-length'], String(bytes.length))
      assert.equal(answer.sha256, sha256(bytes), url)
      expected += bytes.length
      return answer
    }
    for (const prefix of paths) {
      await whole(`${prefix}large.bin`, large)
      const { headers } = await whole(`${prefix}small.bin`, small)
      await Promise.all(Array.from({ length: 8 }, (_, i) => whole(`${prefix}${i % 2 ? 'small.bin' : 'large.bin'}`, i % 2 ? small : large)))
      const { length, status } = await get(`${prefix}empty.bin`)
      assert.deepEqual({ length, status }, { length: 0, status: 200 })

      const head = await get(`${prefix}large.bin`, { method: 'HEAD' })
      assert.deepEqual([head.status, head.length, head.headers['content-length']], [200, 0, String(LARGE)])
      const fresh = await get(`${prefix}small.bin`, { 'if-modified-since': headers['last-modified'] })
      assert.deepEqual([fresh.status, fresh.length], [304, 0])
      assert.equal((await get(`${prefix}missing`)).status, 404)
      for (const [range, start, end] of [['bytes=0-0', 0, 1], ['bytes=5000000-', 5_000_000], ['bytes=-3', LARGE - 3],
        ['bytes=100-8388999', 100, 8_389_000]]) {
        const part = await get(`${prefix}large.bin`, { range })
        const bytes = large.subarray(start, end)
        assert.equal(part.status, 206, range)
        assert.equal(part.headers['content-range'], `bytes ${start}-${start + bytes.length - 1}/${LARGE}`)
        assert.equal(part.sha256, sha256(bytes), range)
        expected += bytes.length
      }
      const refused = await get(`${prefix}small.bin`, { range: `bytes=${SMALL}-` })
      assert.deepEqual([refused.status, refused.headers['content-range']], [416, `bytes */${SMALL}`])
      const range = 'bytes=1000-'
      const rest = await get(`${prefix}small.bin`, { range, 'if-range': headers['last-modified'] })
      assert.deepEqual([rest.status, rest.sha256], [206, sha256(small.subarray(1000))])
      const changed = await get(`${prefix}small.bin`, { range, 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' })
      assert.deepEqual([changed.status, changed.sha256], [200, sha256(small)], 'of another version the whole')
      expected += SMALL - 1000 + SMALL
    }
    if (page) {
      const html = fs.readFileSync(path.join(root, 'examples', 'video.html'))
      const { headers } = await whole('/video.html', html)
      assert.match(headers['content-type'], /^text\/html/)
    }
    await until(() => held().length === 0)
    assertNativeBytes(await end(), expected)
  })

  test(`examples/${name}: downloads that are broken off leave no descriptor`, { skip }, async (t) => {
    const { folder, large } = makeFolder(t)
    const { port, get, held, end } = await startExample(t, `examples/${name}`, folder)
    const clients = Array.from({ length: 20 }, () => net.connect(port, '127.0.0.1'))
    await Promise.all(clients.map(async (socket, i) => {
      socket.on('error', () => {}) // a reset is one way to break off
      socket.write(`GET ${paths[i % paths.length]}large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await once(socket, 'readable')
    }))
    assert.ok(held().length > 0, 'they are under way')
    for (const [i, socket] of clients.entries()) {
      if (i % 2) socket.resetAndDestroy()
      else socket.destroy()
    }
    await until(() => held().length === 0)
    assert.equal((await get('/large.bin')).sha256, sha256(large), 'and goes on')
    await until(() => held().length === 0)
    assert.equal((await end()).code, 0)
  })

  test(`examples/${name} says how to use it`, { skip }, async () => {
    const { code, stderr } = await run([`examples/${name}`])
    assert.deepEqual({ code, stderr }, { code: 1, stderr: usage })
  })

  test(`examples/${name} says how to use it when the port is none`, { skip }, async () => {
    await assertRefusesNoPorts(`examples/${name}`, usage)
  })

  test(`examples/${name} says in one line why it cannot listen`, { skip }, async (t) => {
    await assertTellsWhyItCannotListen(t, `examples/${name}`)
  })
}
