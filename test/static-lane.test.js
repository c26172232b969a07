'use strict'

// Which system calls answer a request for a small file in memory, on which thread, and what becomes of it when one of
// them is refused.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { descriptors, isNative, sha256, test, until } = require('./helpers')
const { answersIn, ask, connect } = require('./helpers/http')
const { inject, straceUnavailable, threadsOf, trace } = require('./helpers/server')
const { assertFile, folderOf, startSite } = require('./helpers/static')

const SMALL = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 31 >> 3) & 255))
const BIG = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31 >> 3) & 255))

function laneTest (name, run) {
  test(name, async (t) => {
    if (!isNative) return t.skip('zero copy is switched off')
    if (straceUnavailable()) return t.skip(straceUnavailable())
    const folder = folderOf(t, {
      site: { 'small.bin': SMALL, 'big.bin': BIG, out: { link: '../secret' }, 'app.js': 'plain', 'app.js.br': 'coded', sub: {} },
      secret: 'MARKER'
    })
    const root = path.join(folder, 'site')
    const site = await startSite(t, root, { precompressed: true })
    for (const target of ['/small.bin', '/big.bin', '/app.js', '/small.bin']) {
      assert.equal((await site.get(target, { headers: ['Accept-Encoding: br'] })).status, 200)
    }
    await run(t, site, root)
  })
}

/** Requests on one connection, one after the other: the answers, in as many pieces as they came. */
async function askInTurn (t, port, requests) {
  const client = connect(t, port)
  await once(client, 'connect')
  const answers = []
  for (const [target, options] of requests) {
    client.write(ask(target, { ...options, last: false }))
    const chunks = []
    let whole
    while (whole === undefined) {
      const [chunk] = await once(client, 'data')
      chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      const head = bytes.indexOf('\r\n\r\n')
      const length = Number(/\r\nContent-Length: (\d+)/.exec(bytes.toString('latin1', 0, head))?.[1] ?? 0)
      const isBodiless = options?.method === 'HEAD' || / 304 /.test(bytes.toString('latin1', 0, 20))
      if (head !== -1 && bytes.length >= head + 4 + (isBodiless ? 0 : length)) whole = bytes
    }
    answers.push({ ...answersIn(whole, [options?.method])[0], length: whole.length })
  }
  client.destroy()
  return answers
}

const CALLS = [
  'openat2', 'openat', 'open', 'statx', 'newfstatat', 'fstat', 'read', 'pread64', 'preadv2', 'sendto', 'sendmsg', 'write', 'writev', 'sendfile', 'close'
]

laneTest('a small file is opened, read and sent with its head on the JavaScript thread, in one packet', async (t, site) => {
  const REQUESTS = 20
  const { bytes } = await site.stats()
  const stop = await trace(t, site, CALLS)
  const answers = await askInTurn(t, site.port, Array(REQUESTS).fill(['/small.bin']))
  const calls = await stop()
  for (const answer of answers) assertFile(answer, SMALL)
  const count = (...names) => calls.filter(({ name, thread }) => names.includes(name) && thread === site.pid).length
  assert.equal(count('sendto', 'sendmsg'), REQUESTS, 'one packet each')
  for (const { line } of calls.filter(({ name }) => name === 'sendto')) assert.equal(Number(/ = (\d+)$/.exec(line)[1]), answers[0].length)
  assert.ok(count('openat2') >= REQUESTS, 'opened anew each time')
  assert.equal(count('sendfile', 'writev'), 0)
  const elsewhere = calls.filter(({ thread, name }) => thread !== site.pid && !['read', 'write'].includes(name)) // V8's threads wake each other
  assert.deepEqual(elsewhere.map(({ line }) => line), [], 'no other thread')
  const after = (await site.stats()).bytes
  assert.equal(after.copied, bytes.copied)
  assert.equal(after.reactor, bytes.reactor)
  assert.ok(after.inline - bytes.inline >= REQUESTS * SMALL.length)
})

laneTest('HEAD and 304 read nothing of a file, and what is not there is told without a thread', async (t, site, root) => {
  const { etag } = (await site.get('/small.bin')).headers
  await site.get('/missing')
  const stop = await trace(t, site, CALLS)
  await askInTurn(t, site.port, [
    ['/small.bin', { method: 'HEAD' }], ['/small.bin', { headers: [`If-None-Match: ${etag}`] }], ['/big.bin', { method: 'HEAD' }]
  ])
  const calls = await stop()
  assert.deepEqual(calls.filter(({ name }) => /^p?read(64|v2)?$/.test(name) && !/^read$/.test(name)).map(({ line }) => line), [])
  assert.ok(calls.filter(({ name }) => name === 'openat2').every(({ thread }) => thread === site.pid))
  await until(() => [...descriptors(site.pid).values()].every((target) => !target.startsWith(`${root}/`)))
})

for (const code of ['ENOSYS', 'EPERM']) {
  laneTest(`openat2 ${code} from one moment on: names are resolved and checked, and stay below the root`, async (t, site, root) => {
    const before = descriptors(site.pid).size
    const stop = await inject(t, site, [`openat2:error=${code}`])
    for (let i = 0; i < 3; i++) {
      assertFile(await site.get('/small.bin'), SMALL)
      assert.equal(sha256((await site.get('/big.bin')).body), sha256(BIG))
      assertFile(await site.get('/app.js', { headers: ['Accept-Encoding: br'] }), 'coded')
      for (const [target, status] of [['/missing', 404], ['/out', 404], ['/sub', 301], ['/small.bin/x', 404], ['/..%2fsecret', 404]]) {
        const answer = await site.get(target)
        assert.equal(answer.status, status, target)
        assert.ok(!answer.body.includes('MARKER'))
      }
    }
    fs.writeFileSync(path.join(root, 'small.bin'), 'changed')
    assertFile(await site.get('/small.bin'), 'changed')
    await stop()
    assertFile(await site.get('/small.bin'), 'changed')
    await until(() => descriptors(site.pid).size <= before)
  })
}

laneTest('openat2 EAGAIN, what is looked for is not in memory: another thread opens it', async (t, site) => {
  const stop = await inject(t, site, ['openat2:error=EAGAIN'], { thread: site.pid })
  for (let i = 0; i < 3; i++) assertFile(await site.get('/small.bin'), SMALL)
  assert.equal((await site.get('/missing')).status, 404)
  assert.equal((await site.get('/out')).status, 404)
  await stop()
  assert.ok(threadsOf(site.pid, 'sendfile').length > 0)
})

for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO']) {
  laneTest(`openat2 ${code}: the request fails, the connection and the server go on`, async (t, site) => {
    const before = descriptors(site.pid).size
    const stop = await inject(t, site, [`openat2:error=${code}`])
    const failed = await site.get('/small.bin')
    assert.deepEqual({ status: failed.status, by: failed.headers['x-answered-by'] }, { status: 500, by: 'error' })
    await stop()
    assertFile(await site.get('/small.bin'), SMALL)
    await until(() => descriptors(site.pid).size <= before)
  })
}

laneTest('openat2 EINTR is repeated', async (t, site) => {
  const stop = await inject(t, site, ['openat2:error=EINTR:when=1+2'])
  for (let i = 0; i < 4; i++) assertFile(await site.get('/small.bin'), SMALL)
  await stop()
})

laneTest('preadv2 EAGAIN, the bytes are not in memory: another thread reads them', async (t, site) => {
  const stop = await inject(t, site, ['preadv2:error=EAGAIN'], { thread: site.pid })
  for (let i = 0; i < 3; i++) assertFile(await site.get('/small.bin'), SMALL)
  await stop()
})

for (const [rule, what] of [
  ['sendto:error=EAGAIN:when=1+2', 'the socket takes nothing for now'], ['sendto:error=EINTR:when=1+2', 'a signal']
]) {
  laneTest(`${rule}, ${what}: every byte arrives once`, async (t, site) => {
    const stop = await inject(t, site, [rule], { thread: site.pid })
    for (let i = 0; i < 6; i++) assertFile(await site.get('/small.bin'), SMALL)
    const answers = await askInTurn(t, site.port, Array(6).fill(['/small.bin']))
    for (const answer of answers) assertFile(answer, SMALL)
    await stop()
  })
}

laneTest('sendto EPIPE: the connection ends, the server goes on', async (t, site) => {
  const before = descriptors(site.pid).size
  const stop = await inject(t, site, ['sendto:error=EPIPE'], { thread: site.pid })
  const client = connect(t, site.port)
  client.write(ask('/small.bin', { last: false }))
  client.resume()
  await once(client, 'close')
  await stop()
  assertFile(await site.get('/small.bin'), SMALL)
  await until(() => descriptors(site.pid).size <= before)
})
