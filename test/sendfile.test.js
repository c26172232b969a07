'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const util = require('node:util')
const { EAGAIN, promises, sendfile, trySendfile } = require('sendfile-native')
const {
  MIB, closeAfter, connection, digest, fillForGood, numberOf, open, sha256, temporaryFile, temporaryFolder,
  test, turns, until
} = require('./helpers')
const testkit = require('./helpers/testkit')

function output (t, parent) {
  const path = `${temporaryFolder(t, parent)}/out`
  return { path, fd: open(t, path, 'w+') }
}

function systemError (code, call) {
  let err
  assert.throws(call, (thrown) => { err = thrown; return true })
  const errno = -require('node:os').constants.errno[code]
  assert.equal(err.constructor, Error)
  assert.equal(err.code, code)
  assert.equal(err.errno, errno)
  assert.equal(err.syscall, 'sendfile')
  assert.equal(err.message, `${code}: ${util.getSystemErrorMap().get(errno)[1]}, sendfile`)
  assert.deepEqual(Object.keys(err), ['errno', 'code', 'syscall'])
  return err
}

test('a system error looks as Node\'s own does, and its stack starts at the caller', () => {
  const theCaller = () => sendfile(999_999, 999_998, 0, 1)
  const err = systemError('EBADF', theCaller)
  assert.equal(err.stack.split('\n')[0], 'Error: EBADF: bad file descriptor, sendfile')
  assert.match(err.stack.split('\n')[1], /theCaller/)

  let own
  try { fs.readSync(999_999, Buffer.alloc(1)) } catch (thrown) { own = thrown }
  assert.deepEqual(Object.keys(err).sort(), Object.keys(own).filter((key) => key !== 'path').sort())
  assert.equal(Error.stackTraceLimit, 10, 'left as it was')
})

test('EAGAIN is the errno of the error', async (t) => {
  const { here } = await connection(t)
  const input = open(t, process.execPath)
  await fillForGood(here, input)
  assert.equal(systemError('EAGAIN', () => sendfile(here, input, 0, 1)).errno, EAGAIN)
  assert.equal(trySendfile(here, input, 0, 1), EAGAIN)
  assert.equal(util.getSystemErrorName(EAGAIN), 'EAGAIN')
})

test('file to file, at an offset, past the end, and nothing', (t) => {
  const input = open(t, temporaryFile(t, '0123456789').path)
  const { fd, path } = output(t)
  assert.equal(sendfile(fd, input, 2, 3), 3)
  assert.equal(sendfile(fd, input, 8n, 100), 2)
  assert.equal(sendfile(fd, input, 10, 1), 0, 'the end')
  assert.equal(sendfile(fd, input, 11, 1), 0, 'past the end')
  assert.equal(sendfile(fd, input, 2n ** 40n, 1), 0)
  assert.equal(sendfile(fd, input, 0, 0), 0)
  assert.equal(sendfile(fd, input, -0, 1), 1, 'minus zero is zero')
  assert.equal(fs.readFileSync(path, 'latin1'), '234890')
})

test('a length of 0 makes no system call, as in 2010', () => {
  assert.equal(sendfile(999_999, 999_998, 0, 0), 0)
  assert.equal(trySendfile(999_999, 999_998, null, 0), 0)
})

test('a null offset moves the position of the descriptor, and a given one does not', (t) => {
  const input = open(t, temporaryFile(t, '0123456789').path)
  const { fd, path } = output(t)
  assert.equal(sendfile(fd, input, null, 4), 4)
  assert.equal(sendfile(fd, input, 8, 1), 1)
  assert.equal(sendfile(fd, input, 0n, 1), 1)
  assert.equal(sendfile(fd, input, null, 2), 2)
  assert.equal(sendfile(fd, input, null, 100), 4)
  assert.equal(sendfile(fd, input, null, 100), 0)
  assert.equal(fs.readFileSync(path, 'latin1'), '01238' + '0' + '45' + '6789')
})

test('offsets past 4 GiB, as Number and as BigInt', (t) => {
  const file = `${temporaryFolder(t)}/sparse`
  const input = open(t, file, 'w+')
  const at = 5 * 1024 * MIB
  fs.writeSync(input, 'beyond', at)
  const { fd, path } = output(t)
  assert.equal(sendfile(fd, input, at, 100), 6)
  assert.equal(sendfile(fd, input, BigInt(at) + 3n, 100), 3)
  assert.equal(sendfile(fd, input, at - 2, 4), 4)
  assert.equal(fs.readFileSync(path, 'latin1'), 'beyondond\0\0be')
})

test('an offset that a Number cannot hold reaches the kernel whole', (t) => {
  // tmpfs has files of any size; two of these three bytes lie where every other Number is missing.
  const input = open(t, temporaryFile(t, '', '/dev/shm').path, 'r+')
  fs.writeSync(input, 'abc', Number.MAX_SAFE_INTEGER)
  const { fd, path } = output(t, '/dev/shm')
  assert.equal(sendfile(fd, input, 2n ** 53n + 1n, 1), 1)
  assert.equal(sendfile(fd, input, Number.MAX_SAFE_INTEGER, 1), 1)
  assert.equal(fs.readFileSync(path, 'latin1'), 'ca')
})

test('an offset beyond what the file system can hold is the kernel\'s to refuse', (t) => {
  const input = open(t, temporaryFile(t, 'x').path)
  const { fd } = output(t)
  systemError('EINVAL', () => sendfile(fd, input, 2n ** 63n - 1n, 1))
})

test('one call moves at most 0x7ffff000 bytes, however many are asked', (t) => {
  const file = `${temporaryFolder(t, '/dev/shm')}/sparse`
  const input = open(t, file, 'w+')
  fs.ftruncateSync(input, 3 * 1024 * MIB)
  const nowhere = open(t, '/dev/null', 'w')
  assert.equal(sendfile(nowhere, input, 0, 3 * 1024 * MIB), 0x7ffff000)
  assert.equal(sendfile(nowhere, input, 0x7ffff000, Number.MAX_SAFE_INTEGER), 3 * 1024 * MIB - 0x7ffff000)
})

test('a small send buffer takes part of what is asked', (t) => {
  const file = temporaryFile(t, 300_000)
  const input = open(t, file.path)
  const [a, b] = testkit.socketpair().map((fd) => closeAfter(t, fd))
  testkit.setSendBuffer(a, 4096)
  testkit.setNonblocking(a, true)

  const received = []
  let off = 0
  let short = 0
  while (off < file.bytes.length) {
    const sent = trySendfile(a, input, off, file.bytes.length - off)
    if (sent === EAGAIN) {
      const buffer = Buffer.alloc(MIB)
      received.push(buffer.subarray(0, fs.readSync(b, buffer)))
      continue
    }
    assert.ok(sent > 0 && sent < file.bytes.length)
    off += sent
    short++
  }
  fs.closeSync(a)
  received.push(fs.readFileSync(b))
  assert.ok(short > 2, `${short} short counts`)
  assert.equal(sha256(Buffer.concat(received)), sha256(file.bytes))
})

for (const [kind, listen] of [['TCP', undefined], ['unix', 'socket']]) {
  test(`a whole file to a ${kind} socket in a loop, its peer reading as it goes`, async (t) => {
    const file = temporaryFile(t, 20 * MIB)
    const input = open(t, file.path)
    const { here, there } = await connection(t, listen && { path: `${temporaryFolder(t)}/${listen}` })
    const arrived = digest(there)

    let wouldBlock = 0
    for (let off = 0; ;) {
      const sent = trySendfile(here, input, off, file.bytes.length - off)
      if (sent === EAGAIN) {
        wouldBlock++
        await turns(1)
        continue
      }
      if (sent === 0) break
      off += sent
    }
    here.end()
    assert.deepEqual(await arrived, { sha256: sha256(file.bytes), length: file.bytes.length })
    assert.ok(wouldBlock > 0, 'the buffer was never full')
  })
}

test('to a pipe', (t) => {
  const input = open(t, temporaryFile(t, 'through a pipe').path)
  const [read, write] = testkit.pipe().map((fd) => closeAfter(t, fd))
  assert.equal(sendfile(write, input, 0, 100), 14)
  const buffer = Buffer.alloc(20)
  assert.equal(buffer.toString('latin1', 0, fs.readSync(read, buffer)), 'through a pipe')
})

test('streams, sockets and file handles stand for their descriptors', async (t) => {
  const file = temporaryFile(t, 'ten bytes.')
  const handle = await fs.promises.open(file.path)
  t.after(() => handle.close())
  const readable = fs.createReadStream(file.path)
  t.after(() => readable.destroy())
  const path = `${temporaryFolder(t)}/out`
  const writable = fs.createWriteStream(path)
  t.after(() => writable.destroy())
  await Promise.all([once(readable, 'open'), once(writable, 'open')])

  assert.equal(sendfile(writable, handle, 0, 3), 3)
  assert.equal(sendfile(writable, readable, 3, 7), 7)
  assert.equal(fs.readFileSync(path, 'latin1'), 'ten bytes.')
  assert.equal(await promises.sendfile(writable, handle, 0, 1), 1)

  const { here, there } = await connection(t)
  assert.equal(sendfile(here, readable, 0, 100), 10)
  here.end()
  assert.equal((await digest(there)).sha256, sha256(file.bytes))
})

test('what the kernel refuses is thrown with its errno', (t) => {
  const folder = temporaryFolder(t)
  const input = open(t, temporaryFile(t, 'x').path)
  const nowhere = open(t, '/dev/null', 'w')
  const [pipeRead] = testkit.pipe().map((fd) => closeAfter(t, fd))
  const [socket] = testkit.socketpair().map((fd) => closeAfter(t, fd))

  systemError('EINVAL', () => sendfile(nowhere, open(t, folder), 0, 1)) // a directory
  systemError('EINVAL', () => sendfile(nowhere, open(t, '/proc/self/maps'), 0, 1)) // cannot be spliced
  systemError('EINVAL', () => sendfile(open(t, `${folder}/appended`, 'a'), input, 0, 1))
  systemError('EBADF', () => sendfile(nowhere, open(t, `${folder}/writeonly`, 'w'), 0, 1))
  systemError('EBADF', () => sendfile(input, input, 0, 1)) // not open for writing
  systemError('ESPIPE', () => sendfile(nowhere, pipeRead, 0, 1))
  systemError('ESPIPE', () => sendfile(nowhere, socket, 0, 1))
  systemError('EINVAL', () => sendfile(nowhere, pipeRead, null, 1))
})

test('EPIPE when the reader of a pipe has gone, and the process lives', (t) => {
  const [read, write] = testkit.pipe().map((fd) => closeAfter(t, fd))
  fs.closeSync(read)
  systemError('EPIPE', () => sendfile(write, open(t, process.execPath), 0, 1))
})

test('EPIPE after end(), ECONNRESET after a reset', async (t) => {
  const input = open(t, process.execPath)
  const ended = await connection(t)
  ended.here.end()
  await once(ended.here, 'finish')
  systemError('EPIPE', () => sendfile(ended.here, input, 0, 1))

  const reset = await connection(t)
  reset.there.resetAndDestroy()
  await once(reset.there, 'close')
  systemError('ECONNRESET', () => sendfile(reset.here, input, 0, 1))
  systemError('EPIPE', () => sendfile(reset.here, input, 0, 1))
})

test('a peer that closes with bytes unread ends the sending', async (t) => {
  const input = open(t, process.execPath)
  const { here, there } = await connection(t)
  await fillForGood(here, input)
  there.destroy()
  await once(there, 'close')
  const answer = util.getSystemErrorName(trySendfile(here, input, 0, 1))
  assert.ok(answer === 'ECONNRESET' || answer === 'EPIPE', answer)
})

test('half-closed by its peer, a socket still sends', async (t) => {
  const file = temporaryFile(t, 'after your FIN')
  const { here, there } = await connection(t)
  there.end()
  await once(there, 'finish')
  assert.equal(sendfile(here, open(t, file.path), 0, 100), 14)
  here.end()
  assert.equal((await digest(there)).sha256, sha256(file.bytes))
})

test('bytes queued in JavaScript go first: EAGAIN without a system call', async (t) => {
  const file = temporaryFile(t, 'the file')
  const input = open(t, file.path)
  const { here, there } = await connection(t)

  here.cork()
  here.write('first, ')
  assert.equal(trySendfile(here, input, 0, 100), EAGAIN)
  systemError('EAGAIN', () => sendfile(here, input, null, 100))
  await assert.rejects(promises.sendfile(here, input, 0, 100), { code: 'EAGAIN', syscall: 'sendfile' })
  here.uncork()
  await until(() => here.writableLength === 0)
  assert.equal(sendfile(here, input, null, 100), 8, 'from the start: the refused call did not move the position')
  here.end()
  assert.equal((await digest(there)).sha256, sha256('first, the file'))
})

test('a plain number is the caller\'s business', async (t) => {
  const input = open(t, temporaryFile(t, 'the file').path)
  const { here, there } = await connection(t)
  here.cork()
  here.write(' last')
  assert.equal(sendfile(numberOf(here), input, 0, 100), 8)
  here.uncork()
  here.end()
  assert.equal((await digest(there)).sha256, sha256('the file last'))
})
