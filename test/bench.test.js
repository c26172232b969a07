'use strict'

// That the benchmarks count right: what they say of speed is no matter here.

process.env.SENDFILE_NATIVE_BENCH_PROFILE = 'debug'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { attempt, hold, load } = require('../bench/lib/load')
const floor = require('../bench/servers/floor')
const { MIB, run, temporaryFolder, test, until } = require('./helpers')

/** A server of this process that does so with each request, and how many there were. */
async function serve (t, answer) {
  const counts = { requests: 0, connections: 0 }
  const server = http.createServer((req, res) => {
    counts.requests++
    answer(req, res)
  })
  server.on('connection', () => counts.connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); server.closeAllConnections() })
  return { port: server.address().port, counts }
}

/** A server that answers every request with these bytes, and ends. */
async function serveRaw (t, bytes) {
  const server = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(bytes)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return server.address().port
}

/** The floor over a folder with files of these lengths. */
async function startFloor (t, lengths) {
  const folder = temporaryFolder(t)
  for (const [name, length] of Object.entries(lengths)) fs.writeFileSync(path.join(folder, name), Buffer.alloc(length))
  const server = await floor.start(folder)
  t.after(server.stop)
  return server
}

test('the load generator counts the bytes and requests of a Node server', async (t) => {
  const body = Buffer.alloc(3 * MIB)
  const { port, counts } = await serve(t, (req, res) => res.setHeader('Content-Length', body.length).end(body))
  const { requests, bytes, errors } = await load({ port, path: '/', requests: 20, seconds: 30, expect: body.length })
  assert.deepEqual({ requests, bytes, errors }, { requests: 20, bytes: 20 * body.length, errors: 0 })
  assert.equal(counts.requests, 21, 'the next is asked for before it is known that it was enough')
})

test('the floor sends files of any length, one behind the other', async (t) => {
  const { port, pids } = await startFloor(t, { small: 1, large: 5 * MIB + 7 })
  const large = await load({ port, path: '/large', requests: 5, seconds: 30, expect: 5 * MIB + 7, pid: pids })
  assert.equal(large.bytes, 5 * (5 * MIB + 7))
  const mixed = await load({ port, path: ['/small', '/large'], requests: 6, seconds: 30 })
  assert.equal(mixed.bytes, 3 * (5 * MIB + 8))
  // A body of one byte has come whole or not at all.
  const many = await load({ port, path: '/small', connections: 20, pipeline: 8, seconds: 0.2, expect: 1 })
  assert.ok(many.requests > 100, `${many.requests} requests`)
  assert.equal(many.bytes, many.requests)
})

test('ranges are asked for, and an answer of many parts is counted as it is framed', async (t) => {
  const body = '--x\r\n\r\npart\r\n--x--\r\n'
  const { port } = await serve(t, (req, res) => {
    assert.equal(req.headers.range, 'bytes=0-1,4-5')
    res.writeHead(206, { 'Content-Type': 'multipart/byteranges; boundary=x', 'Content-Length': body.length }).end(body)
  })
  const { bytes } = await load({ port, path: '/', header: 'Range: bytes=0-1,4-5', status: 206, requests: 3, seconds: 30 })
  assert.equal(bytes, 3 * body.length)
})

test('a connection that ends as it said is made anew', async (t) => {
  const { port, counts } = await serve(t, (req, res) => {
    res.writeHead(200, { 'Content-Length': 4, Connection: 'close' }).end('body')
  })
  const { requests, bytes } = await load({ port, path: '/', requests: 10, seconds: 30 })
  assert.deepEqual([requests, bytes, counts.connections], [10, 40, 10])
})

test('slow readers take no more than they should', async (t) => {
  const { port } = await startFloor(t, { large: 50 * MIB })
  const { bytes } = await load({ port, path: '/large', connections: 4, rate: 100_000, seconds: 0.5 })
  assert.ok(bytes > 100_000 && bytes <= 260_000, `${bytes} bytes`)
})

const wrong = {
  'a body that ends too early': ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort', 'short'],
  'a length that is not the expected': ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort', 'length'],
  'a status that is not the expected': ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'status'],
  'a body without a length': ['HTTP/1.1 200 OK\r\n\r\nbody', 'framing'],
  'more than was asked for': [`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789more`, 'excess'],
  'an end instead of an answer': ['', 'closed']
}

for (const [name, [bytes, fault]] of Object.entries(wrong)) {
  test(`${name} fails the run`, async (t) => {
    const port = await serveRaw(t, bytes)
    const { code, counted } = await attempt({ port, path: '/', expect: 10, seconds: 5 })
    assert.equal(code, 1)
    assert.deepEqual(counted.faults, { [fault]: 1 })
    await assert.rejects(load({ port, path: '/', expect: 10, seconds: 5 }), new RegExp(`1 responses were wrong: .*${fault}`))
  })
}

test('connections are held until they are let go', async (t) => {
  let open = 0
  const { port } = await serve(t, (req, res) => {
    open++
    res.on('close', () => open--)
    res.writeHead(200, { 'Content-Length': 100 << 20 }).write(Buffer.alloc(20 << 20))
  })
  const release = await hold({ port, path: '/', connections: 10, hold: 'stalled' })
  assert.equal(open, 10)
  await release()
  await until(() => open === 0)
})

test('the runner reports what it measured, and what it skipped', async (t) => {
  const folder = temporaryFolder(t)
  const args = ['bench', '--only', '128KiB,ranges', '--servers', 'transfer-file,stock,nginx,floor', '--rounds', '1', '--seconds', '0.1', '--to', folder]
  const { code, stderr } = await run(args, { env: { ...process.env, PATH: folder } })
  assert.equal(code, 0, stderr)
  const { cases, servers, skipped } = JSON.parse(fs.readFileSync(path.join(folder, 'benchmark.json'), 'utf8'))
  assert.deepEqual(skipped, [{ name: 'nginx', reason: 'there is no nginx' }])
  assert.deepEqual(servers.map(({ name }) => name), ['transfer-file', 'stock', 'floor'])
  for (const { name } of servers) {
    const [{ rate, cost, memory }] = cases[0].servers[name].rounds
    assert.ok(rate > 0 && cost > 0 && memory > 0, name)
  }
  assert.equal(cases[1].servers.stock.refused, 'answers 200')
  const report = fs.readFileSync(path.join(folder, 'benchmark.md'), 'utf8')
  assert.match(report, /\| `transferFile\(res, path\)` \| 1\.00x \|/)
  assert.match(report, /Skipped: nginx \(there is no nginx\)\./)
  assert.match(fs.readFileSync(path.join(folder, 'charts', 'requests.svg'), 'utf8'), /^<svg[^]*createReadStream/)
})

test('an unknown case or server is refused, with the names of those that are', async () => {
  for (const [option, value] of [['--only', '1MiB,2MiB'], ['--servers', 'apache']]) {
    const { code, stderr } = await run(['bench', option, value])
    assert.equal(code, 1)
    assert.match(stderr, /there is no (case 2MiB: 1KiB|server apache: transfer-file)/)
  }
})

test('results are compared by their medians', () => {
  const { median, spread } = require('../bench/lib/statistics')
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(spread([3000, 1, 2], 1), '2.0 (1.0 to 3,000.0)')
})

test('the part of README.md is written between its marks, again and again', () => {
  const { insert } = require('../bench/readme')
  const text = 'before\n<!-- benchmark -->\n<!-- /benchmark -->\nafter\n'
  const once = insert(text, 'a table', { cpu: 'CPU' })
  assert.equal(once, 'before\n<!-- benchmark -->\n\na table\n\n![CPU](docs/charts/cpu.svg)\n\n<!-- /benchmark -->\nafter\n')
  assert.equal(insert(once, 'a table', { cpu: 'CPU' }), once)
  assert.throws(() => insert('no marks', '', {}), /README\.md has no/)
})
