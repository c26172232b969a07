'use strict'

// A file system that does not answer holds up nobody but those who asked for its files: whatever its files need, be it
// looking them up, opening, describing, reading or closing them, is waited for by other threads.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { stats } = require('sendfile-native')
const { isNative, sha256, turns, until } = require('./helpers')
const { answersIn, ask, connect, readAll } = require('./helpers/http')
const { mount, slowTest } = require('./helpers/slowfs')
const { assertFile, folderOf, serveFolder, serveOne } = require('./helpers/static')

const CONTENTS = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 31 >> 3) & 255))

/** Asks, and says when the answer is there: `{ answer, isThere }`. */
function askFor (t, port, target, options) {
  const socket = connect(t, port)
  socket.write(ask(target, options))
  const asked = { isThere: false }
  asked.answer = readAll(socket).then((bytes) => {
    asked.isThere = true
    return answersIn(bytes, [options?.method])[0]
  })
  return asked
}

/** That others are served, and the loop turns, while these wait. */
async function assertOthersGoOn (fast, waiting) {
  for (let i = 0; i < 20; i++) assertFile(await fast.get('/a.txt'), 'alpha')
  await turns(200)
  for (const asked of waiting) assert.equal(asked.isThere, false, 'it still waits')
}

const WAYS = {
  serveStatic: (t, folder, options) => serveFolder(t, folder, options),
  'serveFile below a root': (t, folder, options) => serveOne(t, (req) => req.url.slice(1), { ...options, root: folder }),
  'serveFile by path': (t, folder, options) => serveOne(t, (req) => path.join(folder, req.url), options)
}

for (const [way, start] of Object.entries(WAYS)) {
  for (const op of ['lookup', 'open', 'getattr', 'read']) {
    slowTest(`${way}: ${op} that does not return delays nobody else`, async (t) => {
      const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
      const slow = await start(t, folder, { setHeaders: (res) => res.setHeader('X-Own', '1') })
      const fast = await serveFolder(t, { 'a.txt': 'alpha' })
      const before = Number(await command(`count ${op}`))
      await command(`stall ${op}`)
      const waiting = [askFor(t, slow.port, '/slow.bin')]
      await until(async () => waiting[0].isThere || Number(await command(`count ${op}`)) > before)
      await assertOthersGoOn(fast, waiting)
      await command(`resume ${op}`)
      for (const { answer } of waiting) {
        const { status, headers, body } = await answer
        assert.deepEqual({ status, own: headers['x-own'] }, { status: 200, own: '1' })
        assert.equal(sha256(body), sha256(CONTENTS))
      }
    })
  }

  slowTest(`${way}: a file whose close does not return was sent, and delays nobody else`, async (t) => {
    const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
    const slow = await start(t, folder)
    const fast = await serveFolder(t, { 'a.txt': 'alpha' })
    await command('stall flush')
    assertFile(await slow.get('/slow.bin'), CONTENTS)
    await until(async () => Number(await command('count flush')) > 0)
    await assertOthersGoOn(fast, [])
    // With the kill switch libuv's few threads wait for it.
    for (const headers of isNative ? [['If-None-Match: *'], ['If-Match: "x"'], ['Range: bytes=99999-']] : []) {
      const count = Number(await command('count flush'))
      assert.notEqual((await slow.get('/slow.bin', { headers })).status, 200)
      await until(async () => Number(await command('count flush')) > count)
      await assertOthersGoOn(fast, [])
    }
    await command('resume flush')
  })
}

slowTest('a file system whose every answer takes a second delays no other request', async (t) => {
  const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
  const slow = await serveFolder(t, folder)
  const fast = await serveFolder(t, { 'a.txt': 'alpha' })
  const before = stats()
  for (const op of ['open', 'getattr', 'flush']) await command(`delay ${op} 1000`)
  const order = []
  const [all, condition] = [[], ['If-None-Match: *']].map((headers) => askFor(t, slow.port, '/slow.bin', { headers }))
  const head = askFor(t, slow.port, '/slow.bin', { method: 'HEAD' })
  const slowOnes = [all, condition, head]
  for (const asked of slowOnes) asked.answer.then(() => order.push('slow'))
  for (let i = 0; i < 50; i++) {
    assertFile(await fast.get('/a.txt'), 'alpha')
    order.push('fast')
  }
  const [whole, unchanged, described] = await Promise.all(slowOnes.map(({ answer }) => answer))
  assertFile(whole, CONTENTS)
  assert.deepEqual([unchanged.status, described.status], [304, 200])
  assert.ok(order.indexOf('slow') >= 20, 'many others were answered before the first of them')
  if (isNative) assert.equal(stats().bytes.copied, before.bytes.copied, 'none of it in JavaScript')
})

slowTest('a slow file system below the root is noticed where it begins', async (t) => {
  const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
  const site = await serveFolder(t, path.dirname(folder)) // which also has the folder that is mounted from
  const fastName = '/source/slow.bin'
  assertFile(await site.get(fastName), CONTENTS)
  assertFile(await site.get(`/${path.basename(folder)}/slow.bin`), CONTENTS)
  for (const op of ['lookup', 'open', 'getattr', 'read']) {
    await command('cache drop')
    const before = Number(await command(`count ${op}`))
    await command(`stall ${op}`)
    const asked = askFor(t, site.port, `/${path.basename(folder)}/slow.bin`)
    await until(async () => asked.isThere || Number(await command(`count ${op}`)) > before)
    for (let i = 0; i < 20; i++) assertFile(await site.get(fastName), CONTENTS)
    await command(`resume ${op}`)
    assertFile(await asked.answer, CONTENTS)
  }
})

slowTest('a request whose client leaves while its file is being opened leaves nothing open', async (t) => {
  const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
  const site = await serveFolder(t, folder)
  await command('stall open')
  const client = connect(t, site.port)
  client.write(ask('/slow.bin'))
  await until(async () => Number(await command('count open')) > 0)
  client.destroy()
  await until(() => site.sockets.size === 0)
  await command('resume open')
  await until(async () => Number(await command('count flush')) >= Number(await command('count open')))
  assertFile(await site.get('/slow.bin'), CONTENTS)
  assert.deepEqual(site.passed, [])
})

slowTest('a file that cannot be read fails its own response', async (t) => {
  const { folder, command } = await mount(t, { 'slow.bin': CONTENTS, 'ok.bin': CONTENTS.subarray(0, 3000) })
  const site = await serveFolder(t, folder)
  await command('eio 0')
  const socket = connect(t, site.port)
  socket.write(ask('/slow.bin', { last: false }) + ask('/slow.bin'))
  const bytes = await readAll(socket)
  const isWhole = answersIn(bytes).every(({ status, headers, body }) => status !== 200 || body.length === Number(headers['content-length']))
  assert.ok(bytes.length === 0 || !isWhole || answersIn(bytes)[0].status >= 500, 'no answer that looks as if all were well')
  await command('eio -1')
  assertFile(await site.get('/slow.bin'), CONTENTS)
})

slowTest('of a coded file that is slow to be found, the one beside it waits, and no other', async (t) => {
  const { folder, command } = await mount(t, { 'a.js': CONTENTS, 'a.js.br': Buffer.from('coded') })
  const site = await serveFolder(t, folder, { precompressed: true })
  const fast = await serveFolder(t, folderOf(t, { 'a.txt': 'alpha' }))
  await command('stall lookup a.js.br')
  const asked = askFor(t, site.port, '/a.js', { headers: ['Accept-Encoding: br'] })
  await until(async () => asked.isThere || Number(await command('count lookup a.js.br')) > 0)
  await assertOthersGoOn(fast, [asked])
  await command('resume lookup a.js.br')
  const { headers, body } = await asked.answer
  assert.deepEqual({ coding: headers['content-encoding'], body: String(body) }, { coding: 'br', body: 'coded' })
})

/**
 * Mounts with mount(8) until the test ends. To be called before there is anything that goes with the test, and may be
 * mounted on, or be a layer.
 * @returns {(type: string, folder: string, ...options: string[]) => boolean} whether it is; if not, the test is skipped
 */
function mounter (t) {
  const folders = []
  t.after(() => { for (const folder of folders) spawnSync('umount', ['-l', folder]) })
  return (type, folder, ...options) => {
    const isMounted = spawnSync('mount', ['-t', type, ...options, type, folder]).status === 0
    if (isMounted) folders.push(folder)
    else t.skip(`${type} cannot be mounted`)
    return isMounted
  }
}

/** That a file of which the kernel remembers everything but what opening it says is opened by another thread. */
async function assertOpenedElsewhere (t, site, command) {
  const fast = await serveFolder(t, { 'a.txt': 'alpha' })
  await fast.get('/a.txt')
  await command('stall open')
  const asked = askFor(t, site.port, '/slow.bin')
  const began = performance.now()
  await assertOthersGoOn(fast, [asked])
  assert.ok(performance.now() - began < 15_000, 'less than slowfs holds an open at most')
  await command('resume open')
  assert.equal(sha256((await asked.answer).body), sha256(CONTENTS))
}

slowTest('overlayfs is as slow as its slowest layer: nothing of it is opened on the JavaScript thread', async (t) => {
  const mountMore = mounter(t)
  const parent = folderOf(t, { upper: {}, work: {}, merged: {} })
  const [upper, work, merged] = ['upper', 'work', 'merged'].map((name) => path.join(parent, name))
  const { folder, command } = await mount(t, { 'slow.bin': CONTENTS })
  await command('ttl 600')
  if (!mountMore('overlay', merged, '-o', `lowerdir=${folder},upperdir=${upper},workdir=${work}`)) return
  const site = await serveFolder(t, merged)
  for (let i = 0; i < 3; i++) assertFile(await site.get('/slow.bin'), CONTENTS)
  await assertOpenedElsewhere(t, site, command)
})
