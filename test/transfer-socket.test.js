'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { stats, transferFile } = require('sendfile-native')
const {
  MIB, connection, descriptors, digest, isNative, sha256, temporaryFile, temporaryFolder, test
} = require('./helpers')
const { result } = require('./helpers/results')

for (const kind of ['TCP', 'unix']) {
  test(`a whole file to a ${kind} socket, and its end`, async (t) => {
    const file = temporaryFile(t, 20 * MIB)
    const listen = kind === 'unix' ? { path: `${temporaryFolder(t)}/s` } : undefined
    const { here, there } = await connection(t, listen)
    const before = stats()
    const [sent, arrived] = await Promise.all([transferFile(here, file.path), digest(there)])
    assert.deepEqual(sent, result(20 * MIB))
    assert.deepEqual(arrived, { sha256: sha256(file.bytes), length: 20 * MIB })
    if (isNative) {
      const { bytes } = stats()
      assert.equal(bytes.copied, before.bytes.copied)
      assert.ok(bytes.sendfile - before.bytes.sendfile > 19 * MIB, 'by sendfile(2)')
    }
    assert.equal(here.bytesWritten, 20 * MIB)
  })
}

test('files of every size around the cut-overs arrive whole', async (t) => {
  const { here, there } = await connection(t)
  const sizes = [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 69632, 262143, 262144, 262145, MIB - 1, MIB, MIB + 1]
  const files = sizes.map((size) => temporaryFile(t, size))
  const arrived = digest(there)
  for (const { path, bytes } of files) {
    assert.deepEqual(await transferFile(here, path, { endDestination: false }), result(bytes.length))
  }
  here.end()
  assert.equal((await arrived).sha256, sha256(Buffer.concat(files.map(({ bytes }) => bytes))))
})

test('calls and writes go out in the order they were made', async (t) => {
  const first = temporaryFile(t, 3 * MIB)
  const second = temporaryFile(t, 300)
  const third = temporaryFile(t, 100_000)
  const { here, there } = await connection(t)
  const arrived = digest(there)
  here.write('a')
  const calls = [transferFile(here, first.path, { endDestination: false })]
  here.write('b')
  here.write('c', 'latin1')
  calls.push(transferFile(here, second.path, { endDestination: false }))
  here.cork()
  calls.push(transferFile(here, third.path, { endDestination: false }))
  here.write(Buffer.from('d'))
  calls.push(transferFile(here, first.path, { endDestination: false, end: 9 }))
  process.nextTick(() => here.uncork())
  here.write('e')
  const sent = await Promise.all(calls)
  assert.deepEqual(sent.map(({ bytesSent }) => bytesSent), [3 * MIB, 300, 100_000, 10])
  here.end('f')
  const expected = Buffer.concat([
    Buffer.from('a'), first.bytes, Buffer.from('bc'), second.bytes, third.bytes, Buffer.from('d'),
    first.bytes.subarray(0, 10), Buffer.from('ef')
  ])
  assert.deepEqual(await arrived, { sha256: sha256(expected), length: expected.length })
})

test('Nagle\'s algorithm does not hold the end of a file behind a small write', async (t) => {
  const file = temporaryFile(t, 3000)
  /** Milliseconds for requests in turn, each answered with a small write and the file. */
  const measure = async (noDelay) => {
    const { here, there } = await connection(t)
    here.setNoDelay(noDelay)
    there.setNoDelay(true)
    here.on('data', () => {
      here.write('head')
      transferFile(here, file.path, { endDestination: false })
    }).resume()
    const began = process.hrtime.bigint()
    for (let i = 0; i < 30; i++) {
      there.write('x')
      for (let got = 0; got < 3004;) {
        const chunk = there.read()
        if (chunk === null) await once(there, 'readable')
        else got += chunk.length
      }
    }
    return Number(process.hrtime.bigint() - began) / 1e6
  }
  const [off, on] = [await measure(true), await measure(false)]
  if (isNative) assert.ok(on < off * 10, `${on} ms beside ${off} ms; held back it is some fifty times as long`)
})

test('to a socket that is still connecting', async (t) => {
  const file = temporaryFile(t, 200_000)
  const server = net.createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const socket = net.connect(server.address().port, '127.0.0.1')
  t.after(() => socket.destroy())
  const sending = transferFile(socket, file.path)
  const [there] = await once(server, 'connection')
  assert.equal((await digest(there)).sha256, sha256(file.bytes))
  assert.deepEqual(await sending, result(200_000))
})

test('10,000 files queued on one socket need no descriptor each', async (t) => {
  const file = temporaryFile(t, 'ten bytes.')
  const { here, there } = await connection(t)
  const before = descriptors().size
  let most = 0
  const calls = Array.from({ length: 10_000 }, () => transferFile(here, file.path, { endDestination: false })
    .then(() => { most = Math.max(most, descriptors().size) }))
  const arrived = digest(there)
  await Promise.all(calls)
  here.end()
  assert.equal((await arrived).length, 100_000)
  assert.ok(most <= before + 3, `${most - before} more at a time`)
})

test('one descriptor serves files at once, each from its own offset', async (t) => {
  const file = temporaryFile(t, 4 * MIB)
  const handle = await fs.promises.open(file.path)
  t.after(() => handle.close())
  await Promise.all([0, 1, MIB, 3 * MIB + 5].map(async (start) => {
    const { here, there } = await connection(t)
    const [, arrived] = await Promise.all([transferFile(here, handle, { start }), digest(there)])
    assert.equal(arrived.sha256, sha256(file.bytes.subarray(start)))
  }))
})

test('end() after the call waits for the file; a half-closed peer gets all of it', async (t) => {
  const file = temporaryFile(t, 10 * MIB)
  const { here, there } = await connection(t)
  there.end()
  const sending = transferFile(here, file.path, { endDestination: false })
  here.end(' and the end')
  const [, arrived] = await Promise.all([sending, digest(there)])
  assert.equal(arrived.sha256, sha256(Buffer.concat([file.bytes, Buffer.from(' and the end')])))
})
