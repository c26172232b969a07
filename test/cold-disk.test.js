'use strict'

// Files that are not in memory, on a disk that is slow or stands still: who waits for it, and who does not.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const { before } = require('node:test')
const { stats, transferFile } = require('sendfile-native')
const {
  MIB, connection, descriptors, digest, isNative, sha256, startReactor, temporaryFile, test, turns, until
} = require('./helpers')
const { diskTest } = require('./helpers/cold-disk')
const { ask, answersIn, assertBytes, connect, exchange, held, readAll, serve } = require('./helpers/http')
const { result } = require('./helpers/results')

before(startReactor)

/** Bytes a second at which nothing that matters arrives before the limit is taken away. */
const STANDSTILL = 1

/** Sends a file to a peer that reads: the call, whether it has settled, and what arrives. */
async function send (t, path) {
  const { here, there } = await connection(t)
  const sending = { here, isSettled: false, call: transferFile(here, path), arrived: digest(there).catch(() => null) }
  sending.call.catch(() => {}).finally(() => { sending.isSettled = true })
  return sending
}

/** Files that are in memory, one after the other: more than leaves on the JavaScript thread at once. */
async function sendHot (t, count) {
  const file = temporaryFile(t, 3 * MIB)
  for (let i = 0; i < count; i++) {
    const { call, here, arrived } = await send(t, file.path)
    assert.deepEqual(await call, result(file.bytes.length))
    assert.equal((await arrived).sha256, sha256(file.bytes))
    here.destroy()
  }
}

/** Until so many files wait for the disk. */
function untilWaiting (files, fetches) {
  return isNative
    ? until(() => stats().fetches >= fetches + files.length)
    : until(() => files.every(({ path }) => held(path) > 0))
}

diskTest('a file that is not in memory is brought there by native threads, and sent without copying', async (t, disk) => {
  const file = disk.add('file', crypto.randomBytes(9 * MIB + 1))
  const { bytes, fetches } = stats()
  for (let i = 0; i < 2; i++) {
    const { call, arrived } = await send(t, file.path)
    assert.deepEqual(await call, result(file.bytes.length))
    assert.equal((await arrived).sha256, sha256(file.bytes))
    if (i === 1 || !isNative) continue
    assert.ok(stats().fetches > fetches, 'it was not in memory')
  }
  if (isNative) assert.equal(stats().bytes.copied, bytes.copied)
  if (isNative) assert.ok(stats().bytes.sendfile - bytes.sendfile > file.bytes.length)
})

diskTest('while the disk stands still, the loop turns and other files go', async (t, disk) => {
  const file = disk.add('file', crypto.randomBytes(5 * MIB))
  const { fetches } = stats()
  disk.limit(STANDSTILL)
  const cold = await send(t, file.path)
  await untilWaiting([file], fetches)
  await turns(1000)
  await sendHot(t, 5)
  assert.equal(cold.isSettled, false, 'all that came to pass meanwhile')
  assert.equal(cold.here.bytesWritten, 0)
  disk.release()
  assert.deepEqual(await cold.call, result(file.bytes.length))
  assert.equal((await cold.arrived).sha256, sha256(file.bytes))
})

diskTest('what is in memory of a file goes, and what is not waits', async (t, disk) => {
  const IN_MEMORY = 4 * MIB
  const file = disk.add('file', crypto.randomBytes(12 * MIB))
  const fd = fs.openSync(file.path)
  fs.readSync(fd, Buffer.alloc(IN_MEMORY))
  fs.closeSync(fd)
  disk.limit(STANDSTILL)
  const { call, here, arrived } = await send(t, file.path)
  await until(() => here.bytesWritten >= IN_MEMORY)
  await turns(1000)
  assert.ok(here.bytesWritten < file.bytes.length)
  disk.release()
  assert.deepEqual(await call, result(file.bytes.length))
  assert.equal((await arrived).sha256, sha256(file.bytes))
})

diskTest('more files than threads wait for one disk: those of others do not wait with them', async (t, disk) => {
  if (!isNative) return t.skip('the four threads of libuv would wait, too')
  const files = Array.from({ length: 12 }, (_, index) => disk.add(`file-${index}`, crypto.randomBytes(MIB + index)))
  const { fetches } = stats()
  disk.limit(STANDSTILL)
  const cold = await Promise.all(files.map(({ path }) => send(t, path)))
  await untilWaiting(files.slice(0, 4), fetches) // half of the threads
  await sendHot(t, 5)
  assert.ok(cold.every(({ isSettled }) => !isSettled))
  disk.release()
  for (const [index, { call, arrived }] of cold.entries()) {
    assert.deepEqual(await call, result(files[index].bytes.length))
    assert.equal((await arrived).sha256, sha256(files[index].bytes))
  }
})

diskTest('destroy() while the disk stands still: the peer sees the end at once, and nothing is left open', async (t, disk) => {
  const file = disk.add('file', crypto.randomBytes(4 * MIB))
  await sendHot(t, 1)
  const before = descriptors().size
  const { fetches } = stats()
  disk.limit(STANDSTILL)
  const cold = await send(t, file.path)
  await untilWaiting([file], fetches)
  cold.here.destroy()
  await assert.rejects(cold.call, { code: 'ERR_STREAM_PREMATURE_CLOSE', bytesSent: 0 })
  assert.deepEqual(await cold.arrived, { sha256: sha256(''), length: 0 })
  disk.release()
  await until(() => held(file.path) === 0 && descriptors().size <= before)
})

diskTest('responses from a slow disk: pipelined ones wait for their turn, other connections do not', async (t, disk) => {
  const cold = disk.add('file', crypto.randomBytes(3 * MIB))
  const small = disk.add('small', crypto.randomBytes(20_000))
  const hot = temporaryFile(t, 2 * MIB)
  const files = { '/cold': cold, '/small': small, '/hot': hot }
  const { port } = await serve(t, (req, res) => transferFile(res, files[req.url].path))
  const { fetches } = stats()
  disk.limit(STANDSTILL)
  const client = connect(t, port)
  client.write(['/cold', '/hot', '/small'].map((path) => ask(path, { last: path === '/small' })).join(''))
  const arrived = readAll(client)
  await untilWaiting([cold], fetches)
  for (let i = 0; i < 5; i++) assertBytes(answersIn(await exchange(t, port, ask('/hot')))[0].body, hot.bytes)
  const HEAD = 1000
  assert.ok(client.bytesRead < (isNative ? 1 : HEAD), 'no head without its body, and nobody overtakes')
  disk.limit(2 * MIB)
  const answers = answersIn(await arrived)
  assert.equal(answers.length, 3)
  for (const [index, { bytes }] of [cold, hot, small].entries()) assertBytes(answers[index].body, bytes)
})

diskTest('a file that is dropped from memory again and again while it is sent arrives', async (t, disk) => {
  const file = disk.add('file', crypto.randomBytes(24 * MIB))
  const { bytes, fetches } = stats()
  const { here, there } = await connection(t)
  const call = transferFile(here, file.path)
  const hash = crypto.createHash('sha256')
  let forgotten = 0
  for (let length = 0; length < file.bytes.length;) {
    const chunk = there.read()
    if (chunk === null) {
      await once(there, 'readable')
      continue
    }
    hash.update(chunk)
    const piece = Math.floor(length / MIB)
    length += chunk.length
    if (Math.floor(length / MIB) === piece) continue
    disk.forget(file.path)
    forgotten++
  }
  assert.equal(hash.digest('hex'), sha256(file.bytes))
  assert.equal((await call).bytesSent, file.bytes.length)
  assert.ok(forgotten > 4)
  if (isNative) assert.equal(stats().bytes.copied, bytes.copied)
  if (isNative) assert.ok(stats().fetches - fetches > 4, 'it had to be read in pieces')
})

test('nothing of the disks is left', () => {
  const mounts = fs.readFileSync('/proc/self/mounts', 'latin1')
  assert.ok(!mounts.includes(`sendfile-native-disk-${process.pid}-`))
})
