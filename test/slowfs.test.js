'use strict'

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { MIB, open, root, until } = require('./helpers')
const { mount, slowTest } = require('./helpers/slowfs')

const bytes = crypto.randomBytes(MIB + 1)
const PAGE = 4096

/** What a promise came to so far: 'pending' until then. */
function watch (promise) {
  const watched = { state: 'pending' }
  promise.then(() => { watched.state = 'done' }, (err) => { watched.state = err.code })
  return watched
}

function pause (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Reads from an offset to the end of the file, or to an error: `{ end, code }`. */
function readOn (fd, end = 0) {
  const buffer = Buffer.alloc(PAGE)
  try {
    for (let n; (n = fs.readSync(fd, buffer, 0, PAGE, end)) > 0; end += n) {
      assert.ok(buffer.subarray(0, n).equals(bytes.subarray(end, end + n)))
    }
  } catch (err) {
    return { end, code: err.code }
  }
  return { end, code: undefined }
}

slowTest('shows the files of a folder, read-only and cached', async (t) => {
  const { folder, command } = await mount(t, { a: bytes, empty: Buffer.alloc(0) })
  assert.deepEqual(fs.readdirSync(folder).sort(), ['a', 'empty'])
  assert.ok(fs.readFileSync(`${folder}/a`).equals(bytes))
  assert.equal(fs.readFileSync(`${folder}/empty`).length, 0)
  assert.equal(fs.statSync(`${folder}/a`).size, bytes.length)
  assert.throws(() => fs.statSync(`${folder}/b`), { code: 'ENOENT' })
  assert.throws(() => fs.writeFileSync(`${folder}/a`, ''), { code: 'EROFS' })

  const reads = await command('count read a')
  assert.ok(Number(reads) > 0)
  assert.ok(fs.readFileSync(`${folder}/a`).equals(bytes))
  assert.equal(await command('count read a'), reads)
  await command('cache drop')
  assert.ok(fs.readFileSync(`${folder}/a`).equals(bytes))
  assert.ok(Number(await command('count read a')) > Number(reads))
})

slowTest('counts the calls of an op, for a file and for all', async (t) => {
  const { folder, command } = await mount(t, { a: bytes, b: bytes })
  assert.equal(await command('count getattr'), '0')
  const fd = open(t, `${folder}/a`)
  const before = Number(await command('count getattr a'))
  fs.fstatSync(fd)
  fs.fstatSync(fd)
  assert.equal(await command('count getattr a'), String(before + 2))
  assert.equal(await command('count getattr b'), '0')
  assert.equal(await command('count open'), '1')
  assert.equal(await command('count flush'), '0')
  fs.closeSync(fd)
  assert.equal(await command('count flush'), '1')
  await until(async () => await command('count release a') === '1') // close does not wait for it
})

slowTest('refuses commands that make no sense', async (t) => {
  const { command } = await mount(t, { a: bytes })
  for (const line of ['', 'sleep', 'delay read', 'delay read soon', 'delay write 1', 'stall read b', 'size a', 'eio a']) {
    await assert.rejects(command(line), /does not know/)
  }
  assert.equal(await command('eio -1'), 'ok')
})

for (const [op, use] of Object.entries({
  lookup: (file) => fs.promises.access(file),
  getattr: (file, handle) => handle.stat(),
  open: async (file) => (await fs.promises.open(file)).close(),
  read: (file, handle) => handle.read(Buffer.alloc(1), 0, 1, 0),
  flush: (file, handle) => handle.close()
})) {
  slowTest(`delays ${op}`, async (t) => {
    const { folder, command } = await mount(t, { a: bytes })
    const handle = await fs.promises.open(`${folder}/a`)
    assert.equal(await command(`delay ${op} 200`), 'ok')
    const start = performance.now()
    await use(`${folder}/a`, handle)
    assert.ok(performance.now() - start >= 200)
    assert.equal(await command(`delay ${op} 0`), 'ok')
    await handle.close()
  })

  slowTest(`stalls ${op} until it is resumed`, async (t) => {
    const { folder, command } = await mount(t, { a: bytes })
    const handle = await fs.promises.open(`${folder}/a`)
    const before = Number(await command(`count ${op} a`))
    await command(`stall ${op}`)
    const promise = use(`${folder}/a`, handle)
    const watched = watch(promise)
    await until(async () => Number(await command(`count ${op} a`)) > before)
    await pause(50)
    assert.equal(watched.state, 'pending')
    await command(`resume ${op}`)
    await promise
    await handle.close()
  })
}

slowTest('reads of one file do not wait for those of another', async (t) => {
  const { folder, command } = await mount(t, { slow: bytes, other: bytes })
  await command('stall read slow')
  // One thread of libuv is left for the other file.
  const handles = await Promise.all(Array.from({ length: 3 }, () => fs.promises.open(`${folder}/slow`)))
  const stalled = handles.map((handle, i) => handle.read(Buffer.alloc(1), 0, 1, i * 300_000))
  const watched = stalled.map(watch)
  await until(async () => Number(await command('count read slow')) >= 3)
  assert.ok((await fs.promises.readFile(`${folder}/other`)).equals(bytes))
  assert.deepEqual(watched.map(({ state }) => state), ['pending', 'pending', 'pending'])
  fs.closeSync(fs.openSync(`${folder}/slow`)) // nor does opening it again

  await command('resume read slow')
  await Promise.all(stalled)
  await Promise.all(handles.map((handle) => handle.close()))
})

slowTest('delayed calls wait at the same time', async (t) => {
  const { folder, command } = await mount(t, { a: bytes, b: bytes, c: bytes })
  await command('delay lookup 300')
  const start = performance.now()
  await Promise.all(['a', 'b', 'c'].map((name) => fs.promises.access(`${folder}/${name}`)))
  assert.ok(performance.now() - start < 600)
})

slowTest('reads fail with EIO from an offset on', async (t) => {
  const { folder, command } = await mount(t, { a: bytes })
  const fd = open(t, `${folder}/a`)
  await command(`eio ${100 * PAGE + 1}`)
  assert.deepEqual(readOn(fd), { end: 100 * PAGE, code: 'EIO' })
  assert.deepEqual(readOn(fd, 200 * PAGE), { end: 200 * PAGE, code: 'EIO' })
  await command('eio -1')
  assert.deepEqual(readOn(fd), { end: bytes.length, code: undefined })
})

slowTest('a file pretends to be shorter or longer than it is', async (t) => {
  const { folder, command } = await mount(t, { a: bytes })
  const fd = open(t, `${folder}/a`)
  for (const size of [10_000, 0, 2 * MIB]) {
    await command(`size a ${size}`)
    assert.equal(fs.fstatSync(fd).size, size)
    assert.equal(fs.statSync(`${folder}/a`).size, size)
    assert.deepEqual(readOn(fd), { end: Math.min(size, bytes.length), code: undefined })
  }
  await command('size a -1')
  assert.equal(fs.fstatSync(fd).size, bytes.length)
})

slowTest('a read that stalls ends with the test, and its file can still be closed', async (t) => {
  let folder
  let stalled
  await t.test('the test', async (t) => {
    const mounted = await mount(t, { a: bytes })
    folder = mounted.folder
    stalled = fs.promises.open(`${folder}/a`).then(async (handle) => {
      const { bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, 0)
      await handle.close()
      return bytesRead
    })
    await mounted.command('stall read')
    await until(async () => await mounted.command('count read') !== '0')
  })
  assert.equal(await stalled, 10)
  assert.ok(!fs.existsSync(path.dirname(folder)))
})

slowTest('a process that is killed takes its mount along', async (t) => {
  const script = `
    const { mount } = require('./test/helpers/slowfs')
    mount({ after () {} }, { a: Buffer.from('a') }).then(async ({ folder, command }) => {
      await command('stall read')
      require('fs').readFile(folder + '/a', () => {})
      while (await command('count read') === '0');
      console.log(folder)
    })`
  const child = spawn(process.execPath, ['-e', script], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const folder = String((await once(child.stdout, 'data'))[0]).trim()
  t.after(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))
  assert.ok(fs.readFileSync('/proc/mounts', 'latin1').includes(folder))
  child.kill('SIGKILL')
  await until(() => !fs.readFileSync('/proc/mounts', 'latin1').includes(folder))
})
