'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const fs = require('node:fs')
const dns = require('node:dns')
const util = require('node:util')
const { Worker } = require('node:worker_threads')
const { once } = require('node:events')
const { promises, sendfile } = require('sendfile-native')
const {
  closeAfter, connection, descriptors, digest, fillForGood, open, run, sha256, temporaryFile, temporaryFolder, test,
  threads, until
} = require('./helpers')
const testkit = require('./helpers/testkit')

/** A blocking pipe that takes no more: [read end, write end]. */
function fullPipe (t) {
  const [read, write] = testkit.pipe().map((fd) => closeAfter(t, fd))
  testkit.setNonblocking(write, true)
  assert.throws(() => { for (;;) fs.writeSync(write, Buffer.alloc(4096)) }, { code: 'EAGAIN' })
  testkit.setNonblocking(write, false)
  return [read, write]
}

test('calls back with (null, bytes), or with (err) alone, always later', async (t) => {
  const input = open(t, temporaryFile(t, '0123456789').path)
  const path = `${temporaryFolder(t)}/out`
  const output = open(t, path, 'w')
  const [, full] = fullPipe(t)
  testkit.setNonblocking(full, true)
  const cases = [
    [[output, input, 2, 3], [null, 3]],
    [[output, input, 8n, 100], [null, 2]],
    [[output, input, 10, 1], [null, 0]],
    [[output, input, null, 4], [null, 4]],
    [[output, input, null, 1], [null, 1]],
    [[999_999, 999_998, 0, 0], [null, 0]],
    [[output, 999_998, 0, 1], 'EBADF'],
    [[999_999, input, 0, 1], 'EBADF'],
    [[open(t, `${temporaryFolder(t)}/out`, 'a'), input, 0, 1], 'EINVAL'],
    [[full, input, 0, 1], 'EAGAIN']
  ]
  for (const [args, expected] of cases) {
    let later = false
    const got = await new Promise((resolve) => {
      sendfile(...args, (...answer) => resolve({ answer, later }))
      later = true
    })
    assert.ok(got.later)
    if (Array.isArray(expected)) {
      assert.deepEqual(got.answer, expected)
    } else {
      assert.equal(got.answer.length, 1)
      const [err] = got.answer
      const errno = -require('node:os').constants.errno[expected]
      assert.equal(err.message, `${expected}: ${util.getSystemErrorMap().get(errno)[1]}, sendfile`)
      assert.deepEqual({ ...err }, { errno, code: expected, syscall: 'sendfile' })
    }
  }
  assert.equal(fs.readFileSync(path, 'latin1'), '23489' + '0123' + '4')
})

test('as a promise, by either name, with the caller in the stack of an error', async (t) => {
  const input = open(t, temporaryFile(t, '0123456789').path)
  const path = `${temporaryFolder(t)}/out`
  const output = open(t, path, 'w')
  assert.equal(await promises.sendfile(output, input, 0, 4), 4)
  assert.equal(await util.promisify(sendfile)(output, input, 4, 100), 6)
  assert.equal(await require('sendfile-native/promises').sendfile(output, input, 10, 1), 0)
  assert.equal(fs.readFileSync(path, 'latin1'), '0123456789')

  const theCaller = async () => { await promises.sendfile(output, 999_998, 0, 1) }
  const err = await theCaller().catch((err) => err)
  assert.equal(err.code, 'EBADF')
  assert.match(err.stack, /theCaller/)
})

test('a non-blocking socket without room answers EAGAIN', async (t) => {
  const input = open(t, process.execPath)
  const { here } = await connection(t)
  await fillForGood(here, input)
  await assert.rejects(promises.sendfile(here, input, 0, 1), { code: 'EAGAIN' })
})

test('calls held by a full pipe stop neither the loop nor libuv\'s threads', async (t) => {
  const file = temporaryFile(t, 'read meanwhile')
  const input = open(t, file.path)
  const [read, write] = fullPipe(t)
  let answered = 0
  const calls = Array.from({ length: 6 }, () => promises.sendfile(write, input, 0, 100).then(() => answered++))
  await until(() => threads('sendfile-call').length === 4)

  // More of them at once than libuv has threads.
  const reads = await Promise.all(Array.from({ length: 8 }, () => fs.promises.readFile(file.path, 'latin1')))
  assert.deepEqual(new Set(reads), new Set(['read meanwhile']))
  await dns.promises.lookup('localhost')
  assert.equal(answered, 0)

  fs.closeSync(write)
  const drained = digest(fs.createReadStream('', { fd: read, autoClose: false }))
  await Promise.all(calls)
  assert.equal(answered, 6)
  await drained
})

test('every call answers once, in its caller\'s AsyncLocalStorage context', async (t) => {
  const input = open(t, process.execPath)
  const nowhere = open(t, '/dev/null', 'w')
  const storage = new AsyncLocalStorage()
  const answers = new Map()
  const calls = []
  for (let request = 0; request < 1000; request++) {
    calls.push(new Promise((resolve) => storage.run(request, () => {
      const target = request % 3 === 0 ? 999_999 : nowhere // some are refused
      const len = request % 5 // some need no call
      sendfile(target, input, 0, len, () => {
        const seen = storage.getStore()
        answers.set(seen, (answers.get(seen) ?? 0) + 1)
        resolve()
      })
    })))
  }
  await Promise.all(calls)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([...answers.keys()].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i))
  assert.deepEqual(new Set(answers.values()), new Set([1]))
})

test('a callback that throws loses no other answer, and microtasks run in between', async () => {
  const { code, stdout, stderr } = await run(`
    const fs = require('node:fs')
    const { sendfile } = require('sendfile-native')
    const input = fs.openSync(process.execPath)
    const nowhere = fs.openSync('/dev/null', 'w')
    const order = []
    process.on('uncaughtException', (err) => order.push('caught ' + err.message))
    let answers = 0
    for (let i = 0; i < 100; i++) {
      sendfile(nowhere, input, 0, 1, () => {
        order.push('answer')
        process.nextTick(() => order.push('tick'))
        Promise.resolve().then(() => order.push('microtask'))
        if (++answers % 10 === 0) throw new Error('mine')
      })
    }
    process.on('exit', () => console.log(order.join(' ')))
    const until = Date.now() + 50
    while (Date.now() < until); // all of them are answered before the loop turns
  `)
  assert.equal(stderr, '')
  const expected = []
  for (let i = 1; i <= 100; i++) {
    expected.push('answer')
    if (i % 10 === 0) expected.push('caught mine')
    expected.push('tick', 'microtask')
  }
  assert.equal(stdout.trim(), expected.join(' '))
  assert.equal(code, 0)
})

test('a pending call keeps the process alive, and nothing else does', async () => {
  const { code, stdout } = await run(`
    const fs = require('node:fs')
    const { sendfile } = require('sendfile-native')
    const input = fs.openSync(process.execPath)
    sendfile(fs.openSync('/dev/null', 'w'), input, 0, 10, (err, bytes) => {
      sendfile(999999, input, 0, 10, (err) => console.log(bytes, err.code))
    })
  `)
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '10 EBADF\n' })
})

test('process.exit() does not wait for a blocked call', async () => {
  const { code } = await run(`
    const testkit = require('./test/helpers/testkit')
    const fs = require('node:fs')
    const { sendfile } = require('sendfile-native')
    const [, write] = testkit.pipe()
    sendfile(write, fs.openSync(process.execPath), 0, 1 << 20, () => {})
    setTimeout(() => process.exit(7), 20)
  `)
  assert.equal(code, 7)
})

test('closed and reused right after the call, a number sends no byte of, or to, the wrong file', async (t) => {
  const ROUNDS = 10_000
  const AT_ONCE = 100
  const LENGTH = 512
  const folder = temporaryFolder(t)
  const right = `${folder}/right`
  const wrong = `${folder}/wrong`
  fs.writeFileSync(right, Buffer.alloc(LENGTH, 'R'))
  fs.writeFileSync(wrong, Buffer.alloc(LENGTH, 'W'))
  const wrongOutput = `${folder}/wrong-output`

  let reused = 0
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    const calls = Array.from({ length: AT_ONCE }, (_, i) => {
      const rightOutput = `${folder}/output-${i}`
      const input = fs.openSync(right)
      const output = fs.openSync(rightOutput, 'w')
      const call = promises.sendfile(output, input, 0, LENGTH)
      fs.closeSync(input)
      fs.closeSync(output)
      const others = [fs.openSync(wrong), fs.openSync(wrongOutput, 'w')]
      if (others.includes(input) && others.includes(output)) reused++
      return call.then((bytes) => ({ bytes, rightOutput, others }))
    })
    for (const call of calls) {
      const { bytes, rightOutput, others } = await call
      for (const fd of others) fs.closeSync(fd)
      assert.equal(bytes, LENGTH)
      const sent = fs.readFileSync(rightOutput)
      assert.ok(sent.length === LENGTH && sent.every((byte) => byte === 0x52), 'only the bytes that were meant')
    }
    assert.equal(fs.statSync(wrongOutput).size, 0)
  }
  assert.ok(reused > ROUNDS / 2, `the numbers were reused in ${reused} rounds`)
})

test('a call\'s duplicates are closed before it answers', async (t) => {
  const input = open(t, temporaryFile(t, 'once').path)
  const { here, there } = await connection(t)
  const before = descriptors()
  await promises.sendfile(here, input, 0, 100)
  assert.deepEqual(descriptors(), before)
  here.destroy()
  assert.equal((await digest(there)).sha256, sha256('once'), 'and so the peer sees the end')
})

test('without room for a descriptor, the call fails with EMFILE and leaves none behind', async () => {
  const { stdout, stderr } = await run(`
    const fs = require('node:fs')
    const { descriptors } = require('./test/helpers')
    const { promises } = require('sendfile-native')
    const input = fs.openSync(process.execPath)
    const nowhere = fs.openSync('/dev/null', 'w')
    promises.sendfile(nowhere, input, 0, 1).then(async () => {
      const taken = []
      try { for (;;) taken.push(fs.openSync('/dev/null')) } catch {}
      fs.closeSync(taken.pop()) // one left, where two are needed
      const err = await promises.sendfile(nowhere, input, 0, 1).catch((err) => err)
      console.log(err.code, err.syscall)
      taken.push(fs.openSync('/dev/null')) // it is still there
      for (const fd of taken) fs.closeSync(fd)
      console.log(await promises.sendfile(nowhere, input, 0, 1))
    })
  `, { openFiles: 64 })
  assert.equal(stderr, '')
  assert.equal(stdout, 'EMFILE dup\n1\n')
})

test('a terminated worker abandons its calls, queued and blocked', async (t) => {
  const before = descriptors()
  const [read, write] = testkit.pipe()
  const worker = new Worker(`
    const { workerData: write, parentPort } = require('node:worker_threads')
    const fs = require('node:fs')
    const { sendfile } = require('sendfile-native')
    const input = fs.openSync(process.execPath)
    for (let i = 0; i < 8; i++) sendfile(write, input, 0, 1 << 20, () => parentPort.postMessage('answered'))
    parentPort.postMessage('called')
  `, { eval: true, workerData: write })
  const [message] = await once(worker, 'message')
  assert.equal(message, 'called')
  await until(() => threads('sendfile-call').length > 0)
  await worker.terminate()

  // Another environment's calls go on.
  const nowhere = open(t, '/dev/null', 'w')
  assert.equal(await promises.sendfile(nowhere, open(t, process.execPath), 0, 10), 10)

  // The four that block hold their descriptors until the pipe takes their bytes, or breaks.
  fs.closeSync(write)
  fs.closeSync(read)
  await until(() => {
    const left = [...descriptors()].filter(([fd, target]) => before.get(fd) !== target)
    return !left.some(([, target]) => target.startsWith('pipe:'))
  })
})
