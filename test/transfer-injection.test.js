'use strict'

// What the system may answer to the system calls of a transfer, in a server that is running: strace(1) makes it answer
// so. strace counts (`when=`) in each thread, and with a path only calls on that file are concerned.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { constants: { errno } } = require('node:os')
const { MIB, descriptors, digest, isNative, numberOf, sha256, temporaryFile, test } = require('./helpers')
const { inject, startServer, straceUnavailable, threadsOf } = require('./helpers/server')
const testkit = require('./helpers/testkit')

const BIG = 8 * MIB
const SMALL = 10_000
/** A system call by number: strace(1) may not know its name. */
const CACHESTAT = 451

/** A test of the native lanes, with a server that has sent before: all its threads are there. */
function injectionTest (name, run, { needsStrace = true, warm = true } = {}) {
  test(name, { timeout: 20_000 }, async (t) => {
    if (!isNative) return t.skip('zero copy is switched off')
    if (needsStrace && straceUnavailable()) return t.skip(straceUnavailable())
    const server = await startServer(t)
    if (warm) await assertServes(t, server)
    await run(t, server)
  })
}

function assertWhole ({ arrived, result }, { bytes }, expected = { zeroCopy: true, reason: null }) {
  assert.deepEqual(result, { bytesSent: bytes.length, ...expected, changed: false })
  assert.deepEqual(arrived, { sha256: sha256(bytes), length: bytes.length })
}

/** That the call failed so, told what was sent, and took its connection with it. */
function assertFailed ({ arrived, err, destroyed }, { bytes }, expected) {
  const { code, syscall, bytesSent } = err
  assert.deepEqual({ code, syscall, destroyed }, { ...expected, destroyed: true })
  assert.ok(bytesSent >= 0 && bytesSent < bytes.length)
  assert.equal(arrived.length, bytesSent)
  assert.equal(arrived.sha256, sha256(bytes.subarray(0, bytesSent)))
}

async function assertServes (t, server) {
  for (const size of [SMALL, BIG]) {
    const file = temporaryFile(t, size)
    assertWhole(await server.get(file.path), file)
    const { arrived } = await server.request(file.path)
    assert.equal(arrived.sha256, sha256(file.bytes))
  }
}

/**
 * Injects while another connection is in the middle of its file: `during(file)`. That one goes on as if nothing were,
 * nothing is left open, and the server still serves.
 * @param {object} options `size` of the file, `byPath`: only its calls, `thread`: only that thread's
 */
async function underInjection (t, server, rules, { size = BIG, byPath = true, thread }, during) {
  const before = descriptors(server.pid).size
  const file = temporaryFile(t, size)
  const others = temporaryFile(t, BIG)
  const outcome = server.outcome(others.path)
  const other = await server.ask(others.path)
  await once(other, 'readable')

  const stop = await inject(t, server, rules, { path: byPath ? file.path : undefined, thread })
  await during(file)
  if (!byPath) await stop()
  assertWhole({ arrived: await digest(other), ...await outcome }, others)
  other.destroy()
  await stop()
  await server.settled(before)
  await assertServes(t, server)
}

const COPIED = { zeroCopy: false, reason: 'unsupported-file' }

for (const [rule, sizes] of [
  ['sendfile:error=EINTR:when=1+2', [BIG]],
  ['preadv2:error=EINTR:when=1+2', [SMALL, BIG]],
  ['sendto:error=EINTR:when=1+2', [SMALL, BIG]]
]) {
  for (const size of sizes) {
    injectionTest(`${rule}: a call that a signal interrupts is repeated (${size} bytes)`, async (t, server) => {
      await underInjection(t, server, [rule], { size, byPath: !rule.startsWith('sendto') }, async (file) => {
        assertWhole(await server.get(file.path), file)
        const { arrived, result } = await server.request(file.path)
        assert.deepEqual(arrived, { sha256: sha256(file.bytes), length: size })
        assert.equal(result.zeroCopy, true)
      })
    })
  }
}

test('pread64 EINTR: a read of what is copied is repeated', { timeout: 20_000 }, async (t) => {
  if (straceUnavailable()) return t.skip(straceUnavailable())
  const server = await startServer(t, { SENDFILE_NATIVE: 'off' })
  const file = temporaryFile(t, BIG)
  const stop = await inject(t, server, ['pread64:error=EINTR:when=1+2'], { path: file.path })
  assertWhole(await server.get(file.path), file, { zeroCopy: false, reason: 'disabled' })
  await stop()
})

for (const when of ['1', '2', '1+', '3+']) {
  injectionTest(`sendfile EAGAIN of the file, while the socket takes more (when=${when}): goes on by copying natively`, async (t, server) => {
    await underInjection(t, server, [`sendfile:error=EAGAIN:when=${when}`], {}, async (file) => {
      const { bytes } = await server.command('stats')
      const got = await server.get(file.path)
      // Once may be by chance.
      assertWhole(got, file, when.endsWith('+') ? COPIED : { zeroCopy: got.result.zeroCopy, reason: got.result.reason })
      const { arrived } = await server.request(file.path)
      assert.deepEqual(arrived, { sha256: sha256(file.bytes), length: BIG })
      assert.equal((await server.command('stats')).bytes.copied, bytes.copied, 'none in JavaScript')
    })
  })
}

for (const code of ['ENOSYS', 'EINVAL', 'EPERM', 'EOPNOTSUPP']) {
  for (const when of ['1+', '3+']) {
    injectionTest(`sendfile ${code} (when=${when}): goes on from there by copying natively`, async (t, server) => {
      await underInjection(t, server, [`sendfile:error=${code}:when=${when}`], {}, async (file) => {
        const { bytes } = await server.command('stats')
        assertWhole(await server.get(file.path), file, COPIED)
        assertWhole(await server.request(file.path), file, COPIED)
        assert.equal((await server.command('stats')).bytes.copied, bytes.copied, 'none in JavaScript')
      })
    })
  }
}

injectionTest('sendfile ENOSYS, and copying was ruled out: the call says so', async (t, server) => {
  await underInjection(t, server, ['sendfile:error=ENOSYS'], {}, async (file) => {
    const { err } = await server.get(file.path, { options: { fallback: false } })
    assert.equal(err?.code, 'ERR_SENDFILE_UNAVAILABLE')
    assert.equal(err.reason, 'unsupported-file')
  })
})

for (const code of ['EIO', 'ENOMEM']) {
  for (const when of ['1+', '3+']) {
    injectionTest(`sendfile ${code} (when=${when}): the call fails, and its connection`, async (t, server) => {
      await underInjection(t, server, [`sendfile:error=${code}:when=${when}`], {}, async (file) => {
        assertFailed(await server.get(file.path), file, { code, syscall: 'sendfile' })
        const { arrived, err } = await server.request(file.path)
        assert.deepEqual(arrived, { broke: 'ECONNRESET' }, 'shorter than its Content-Length')
        assert.equal(err.code, code)
        assert.ok(err.bytesSent >= 0 && err.bytesSent < BIG)
      })
    })
  }
}

for (const [code, expected] of [['EOPNOTSUPP', COPIED], ['ENOSYS', COPIED], ['EAGAIN', { zeroCopy: true, reason: null }]]) {
  for (const size of [SMALL, BIG]) {
    injectionTest(`preadv2 ${code}: what is in memory is not known, and all arrives (${size} bytes)`, async (t, server) => {
      await underInjection(t, server, [`preadv2:error=${code}`], { size }, async (file) => {
        const { bytes } = await server.command('stats')
        const got = await server.get(file.path)
        // A small file goes through memory anyway.
        const { zeroCopy, reason } = size === SMALL ? got.result : expected
        assertWhole(got, file, { zeroCopy, reason })
        const { arrived } = await server.request(file.path)
        assert.deepEqual(arrived, { sha256: sha256(file.bytes), length: size })
        assert.equal((await server.command('stats')).bytes.copied, bytes.copied, 'none in JavaScript')
      })
    })
  }
}

for (const [code, when] of [['EIO', '1+'], ['EIO', '2+'], ['ENOMEM', '1+']]) {
  injectionTest(`pread64 ${code} (when=${when}) on a disk's thread: the call fails, and its connection`, async (t, server) => {
    // Counted in each of the disk's threads: the file has to be long enough.
    const rules = ['preadv2:error=EOPNOTSUPP', `pread64:error=${code}:when=${when}`]
    await underInjection(t, server, rules, {}, async (file) => {
      assertFailed(await server.get(file.path), file, { code, syscall: 'read' })
      const { err, arrived } = await server.request(file.path)
      assert.equal(err.code, code)
      assert.deepEqual(arrived, { broke: 'ECONNRESET' })
    })
  })
}

injectionTest('pread64 EINTR on a disk\'s thread: read again', async (t, server) => {
  await underInjection(t, server, ['preadv2:error=EOPNOTSUPP', 'pread64:error=EINTR:when=1+2'], {}, async (file) => {
    assertWhole(await server.get(file.path), file, COPIED)
  })
})

for (const size of [SMALL, BIG]) {
  injectionTest(`sendto EAGAIN on the JavaScript thread: goes on when the socket takes more (${size} bytes)`, async (t, server) => {
    const options = { size, byPath: false, thread: server.pid }
    await underInjection(t, server, ['sendto:error=EAGAIN:when=1+2'], options, async (file) => {
      assertWhole(await server.get(file.path), file)
      for (let i = 0; i < 4; i++) assertWhole(await server.request(file.path), file)
    })
  })
}

injectionTest('sendto EAGAIN on the reactor\'s thread, of a socket that takes more: it goes on', async (t, server) => {
  const [thread] = threadsOf(server.pid, 'sendfile-epoll')
  const rules = ['preadv2:error=EOPNOTSUPP', 'sendto:error=EAGAIN:when=1+2']
  await underInjection(t, server, rules, { byPath: false, thread }, async (file) => {
    assertWhole(await server.get(file.path), file, COPIED)
  })
})

for (const code of ['ENOBUFS', 'ENOMEM']) {
  injectionTest(`sendto ${code}: the call fails, and its connection`, async (t, server) => {
    const options = { size: SMALL, byPath: false, thread: server.pid }
    await underInjection(t, server, [`sendto:error=${code}`], options, async (file) => {
      assertFailed(await server.get(file.path), file, { code, syscall: 'write' })
      const { err, destroyed } = await server.request(file.path)
      assert.equal(err.code, code)
      assert.equal(err.bytesSent, 0)
      assert.ok(destroyed)
    })
  })
}

for (const code of ['EPERM', 'ENOSYS']) {
  // strace up to 6.4 does not know cachestat(2): seccomp(2) does.
  injectionTest(`cachestat ${code}: the pages are tried instead, and the file is sent without copying`, async (t, server) => {
    await server.command(`refuse ${CACHESTAT} ${errno[code]}`)
    await assertServes(t, server)
    const { bytes } = await server.command('stats')
    assert.equal(bytes.copied, 0)
    assert.ok(bytes.sendfile > 3 * BIG)
  }, { needsStrace: false })
}

injectionTest('fcntl EMFILE, no descriptor for a duplicate of the socket: it goes on without', async (t, server) => {
  // "EMFILE on that dup: the transfer is driven from the JS thread by readiness instead."
  const options = { byPath: false, thread: server.pid }
  await underInjection(t, server, ['fcntl:error=EMFILE'], options, async (file) => {
    assertWhole(await server.get(file.path), file)
  })
})

injectionTest('fcntl EMFILE, no descriptor for a duplicate of the file: the call fails, the connection goes on', async (t, server) => {
  const options = { byPath: false, thread: server.pid }
  await underInjection(t, server, ['fcntl:error=EMFILE'], options, async (file) => {
    const { arrived, err, destroyed } = await server.get(file.path, { by: 'descriptor' })
    const { code, syscall, bytesSent } = err
    assert.deepEqual({ code, syscall, bytesSent, destroyed }, { code: 'EMFILE', syscall: 'dup', bytesSent: 0, destroyed: false })
    assert.equal(arrived.sha256, sha256('goes on'))
  })
})

for (const code of ['EMFILE', 'ENOMEM', 'EIO']) {
  injectionTest(`openat and openat2 ${code}: the call fails, the connection goes on`, async (t, server) => {
    await underInjection(t, server, [`openat,openat2:error=${code}`], {}, async (file) => {
      const { arrived, err, destroyed } = await server.get(file.path)
      const { syscall, bytesSent } = err
      assert.deepEqual({ code: err.code, syscall, bytesSent, destroyed }, { code, syscall: 'open', bytesSent: 0, destroyed: false })
      assert.equal(arrived.sha256, sha256('goes on'))
    })
  })
}

injectionTest('epoll_ctl ENOMEM: the call fails, and its connection', async (t, server) => {
  const [thread] = threadsOf(server.pid, 'sendfile-epoll')
  await underInjection(t, server, ['epoll_ctl:error=ENOMEM:when=1'], { byPath: false, thread }, async (file) => {
    assertFailed(await server.get(file.path), file, { code: 'ENOMEM', syscall: 'epoll_ctl' })
  })
})

injectionTest('clone EAGAIN, no thread to open a file: the call fails, the connection goes on', async (t, server) => {
  const file = temporaryFile(t, BIG)
  const stop = await inject(t, server, ['clone,clone3:error=EAGAIN'], { thread: server.pid })
  const { arrived, err, destroyed } = await server.get(file.path)
  const { code, cause, bytesSent } = err
  assert.deepEqual({ code, cause, bytesSent, destroyed },
    { code: 'ERR_SENDFILE_NO_THREAD', cause: 'EAGAIN', bytesSent: 0, destroyed: false })
  assert.equal(arrived.sha256, sha256('goes on'))
  await stop()
  await assertServes(t, server)
}, { warm: false })

injectionTest('clone EAGAIN, no thread to wait for a socket: the call fails, and its connection', async (t, server) => {
  const small = temporaryFile(t, SMALL)
  assertWhole(await server.get(small.path), small) // a disk's thread is there
  assert.equal(threadsOf(server.pid, 'sendfile-epoll').length, 0)
  const before = descriptors(server.pid).size
  const file = temporaryFile(t, BIG)
  const stop = await inject(t, server, ['clone,clone3:error=EAGAIN'], { thread: server.pid })
  const got = await server.get(file.path)
  assert.equal(got.err.cause, 'EAGAIN')
  assertFailed(got, file, { code: 'ERR_SENDFILE_NO_THREAD', syscall: undefined })
  assertWhole(await server.get(small.path), small)
  await server.settled(before)
  await stop()
  await assertServes(t, server)
}, { warm: false })

injectionTest('clone EAGAIN, no thread to wait for the disk: the call fails, and its connection', async (t, server) => {
  const file = temporaryFile(t, BIG)
  const how = { by: 'stream' } // which fs opens, and no disk's thread
  assert.equal((await server.get(file.path, how)).arrived.sha256, sha256(file.bytes))
  assert.deepEqual(['epoll', 'disk'].map((name) => threadsOf(server.pid, `sendfile-${name}`).length), [1, 0])
  const before = descriptors(server.pid).size
  await server.command(`refuse ${CACHESTAT} ${errno.ENOSYS}`) // and as preadv2 has it, nothing is in memory
  const stop = await inject(t, server, ['clone,clone3:error=EAGAIN', 'preadv2:error=EAGAIN'])
  const { err, destroyed } = await server.get(file.path, how)
  assert.deepEqual([err.code, err.cause, destroyed], ['ERR_SENDFILE_NO_THREAD', 'EAGAIN', true])
  await server.settled(before)
  await stop()
  await assertServes(t, server)
}, { warm: false })

injectionTest('clone EAGAIN, no further thread for the disk: those that run do it all', async (t, server) => {
  const options = { byPath: false }
  await underInjection(t, server, ['clone,clone3:error=EAGAIN'], options, async (file) => {
    const outcomes = Array.from({ length: 10 }, () => server.get(file.path))
    for (const got of await Promise.all(outcomes)) assertWhole(got, file)
  })
})

injectionTest('a peer with a tiny buffer: many short answers, every byte once', async (t, server) => {
  const file = temporaryFile(t, BIG)
  const { wouldBlocks } = await server.command('stats')
  const outcome = server.outcome(file.path)
  const socket = await server.ask(file.path, { prepare: (socket) => testkit.setReceiveBuffer(numberOf(socket), 16384) })
  const arrived = await digest(socket)
  socket.destroy()
  assertWhole({ arrived, ...await outcome }, file)
  assert.ok((await server.command('stats')).wouldBlocks > wouldBlocks)
}, { needsStrace: false })
