'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const path = require('node:path')
const { stats, transferFile } = require('sendfile-native')
const { MIB, connection, descriptors, digest, isNative, sha256, temporaryFile, turns, until } = require('./helpers')
const { mount, slowTest } = require('./helpers/slowfs')

const contents = (length) => Buffer.from(Array.from({ length }, (_, i) => (i * 31 >> 3) & 255))

/** Sends a file to a peer that reads: the call, and what arrives. */
async function send (t, file, options) {
  const { here, there } = await connection(t)
  const call = transferFile(here, file, options)
  call.catch(() => {})
  return { call, here, there, arrived: digest(there).catch(() => null) }
}

async function sendHot (t) {
  const file = temporaryFile(t, 5 * MIB)
  const { call, here, arrived } = await send(t, file.path)
  await call
  assert.equal((await arrived).sha256, sha256(file.bytes))
  here.destroy()
}

slowTest('a file of a file system that cannot tell what is in memory is read by native threads', async (t) => {
  const bytes = contents(3 * MIB + 5)
  const { folder } = await mount(t, { file: bytes })
  const before = stats()
  const { call, arrived } = await send(t, path.join(folder, 'file'), { start: 3 })
  const { bytesSent, zeroCopy, reason } = await call
  assert.deepEqual({ bytesSent, zeroCopy, reason },
    { bytesSent: bytes.length - 3, zeroCopy: false, reason: isNative ? 'unsupported-file' : 'disabled' })
  assert.equal((await arrived).sha256, sha256(bytes.subarray(3)))
  if (isNative) assert.equal(stats().bytes.copied, before.bytes.copied)
})

slowTest('a file whose every read is slow delays no other', async (t) => {
  const bytes = contents(MIB)
  const { folder, command } = await mount(t, { file: bytes })
  await command('delay read 200')
  const slow = await send(t, path.join(folder, 'file'))
  let slowIsDone = false
  slow.call.then(() => { slowIsDone = true })
  await once(slow.there, 'data')
  for (let i = 0; i < 3; i++) await sendHot(t)
  assert.equal(slowIsDone, false, 'three hot files went meanwhile')
  assert.equal((await slow.call).bytesSent, bytes.length)
  assert.equal((await slow.arrived).sha256, sha256(bytes))
})

slowTest('reads that never return delay nobody, and the peer of a destroyed socket sees its end before they do', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`stalled-${i}`, contents(MIB)]))
  const { folder, command } = await mount(t, files)
  const before = descriptors().size
  await command('stall read')
  const stalled = await Promise.all(Object.keys(files).map((name) => send(t, path.join(folder, name))))
  await until(async () => Number(await command('count read')) >= 4)
  if (isNative) await sendHot(t) // libuv's four threads are taken when it is switched off

  for (const { here } of stalled) here.destroy()
  for (const { arrived, call } of stalled) {
    await arrived
    await assert.rejects(call, { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
  }
  await command('resume read')
  await until(() => descriptors().size <= before)
})

slowTest('an open that never returns delays nobody, and can be aborted', async (t) => {
  const { folder, command } = await mount(t, { file: contents(100) })
  await command('stall open')
  const controller = new AbortController()
  const { call, here, there } = await send(t, path.join(folder, 'file'), { signal: controller.signal })
  await until(async () => Number(await command('count open')) > 0)
  await sendHot(t)
  controller.abort()
  await assert.rejects(call, { name: 'AbortError', bytesSent: 0 })
  assert.ok(!here.destroyed, 'nothing of it was sent')
  await command('resume open')
  here.destroy()
  there.destroy()
})

slowTest('closing a file that waits for its server holds nothing up', async (t) => {
  const bytes = contents(300_000)
  const { folder, command } = await mount(t, { file: bytes })
  await command('stall flush')
  const { call, arrived } = await send(t, path.join(folder, 'file'))
  await call
  assert.equal((await arrived).sha256, sha256(bytes))
  await until(async () => Number(await command('count flush')) > 0)
  await sendHot(t)
  await command('resume flush')
})

slowTest('a file that cannot be read to its end fails with EIO after its first part', async (t) => {
  const bytes = contents(2 * MIB)
  const { folder, command } = await mount(t, { file: bytes })
  await command(`eio ${MIB}`)
  const { call, here, arrived } = await send(t, path.join(folder, 'file'))
  await assert.rejects(call, (err) => {
    assert.equal(err.code, 'EIO')
    assert.equal(err.syscall, 'read')
    assert.ok(err.bytesSent > 0 && err.bytesSent <= MIB)
    return true
  })
  assert.ok(here.destroyed)
  assert.ok((await arrived).length <= MIB)
})

slowTest('a file that is shorter than it says fails as truncated', async (t) => {
  const { folder, command } = await mount(t, { file: contents(MIB) })
  await command(`size file ${2 * MIB}`)
  const { call, here, arrived } = await send(t, path.join(folder, 'file'))
  await assert.rejects(call, { code: 'ERR_SENDFILE_TRUNCATED', bytesSent: MIB })
  assert.ok(here.destroyed)
  assert.equal((await arrived).length, MIB)
})

slowTest('the loop turns while all of them wait', async (t) => {
  const { folder, command } = await mount(t, { file: contents(MIB) })
  await command('stall read')
  const { call, here } = await send(t, path.join(folder, 'file'))
  await until(async () => Number(await command('count read')) > 0)
  const before = process.hrtime.bigint()
  await turns(1000)
  const elapsed = Number(process.hrtime.bigint() - before) / 1e6
  assert.ok(elapsed < 5000, 'a thousand turns, none of them held')
  here.destroy()
  await assert.rejects(call)
  await command('resume read')
})
