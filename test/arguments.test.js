'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { once } = require('node:events')
const net = require('node:net')
const tls = require('node:tls')
const { promises, sendfile, trySendfile, watchWritable } = require('sendfile-native')
const { connection, open, temporaryFile, temporaryFolder, test } = require('./helpers')

const callback = () => assert.fail('the callback of a call with bad arguments was called')

/** The forms of the call; each hands back what it threw or rejected with. */
const forms = {
  sendfile: (...args) => thrown(() => sendfile(...args)),
  'sendfile with a callback': (...args) => thrown(() => sendfile(...pad(args), callback)),
  trySendfile: (...args) => thrown(() => trySendfile(...args)),
  'promises.sendfile': async (...args) => {
    const promise = promises.sendfile(...args)
    return promise.then(() => assert.fail('resolved'), (err) => err)
  }
}

function pad (args) {
  return [...args, undefined, undefined, undefined, undefined].slice(0, 4)
}

function thrown (call) {
  try {
    call()
  } catch (err) {
    return err
  }
  return assert.fail('did not throw')
}

for (const [name, failure] of Object.entries(forms)) {
  const check = async (args, Type, code, message) => {
    const err = await failure(...args)
    assert.ok(err instanceof Type, `${err.stack} is no ${Type.name}`)
    assert.equal(err.name, Type.name)
    assert.equal(err.code, code)
    assert.equal(err.message, message)
    assert.ok(err.stack.startsWith(`${Type.name} [${code}]: ${message}\n`), err.stack)
  }

  test(`${name}: what is no descriptor is a TypeError that names the argument`, async () => {
    const values = [
      [undefined, 'undefined'],
      [null, 'null'],
      ['1', 'type string (\'1\')'],
      ['a text that is far too long to show', 'type string (\'a text that is far too l...)'],
      [true, 'type boolean (true)'],
      [1n, 'type bigint (1n)'],
      [Symbol('s'), 'type symbol (Symbol(s))'],
      [function named () {}, 'function named'],
      [{}, 'an instance of Object'],
      [[], 'an instance of Array'],
      [new Date(), 'an instance of Date'],
      [Object.create(null), '[Object: null prototype] {}'],
      [{ fd: '1' }, 'an instance of Object'],
      [{ fd: 1n }, 'an instance of Object']
    ]
    for (const [value, described] of values) {
      const message = (argument) => `The "${argument}" argument must be of type number or an instance of ` +
        `net.Socket, fs.ReadStream, fs.WriteStream, or FileHandle. Received ${described}`
      await check([value, 0, 0, 1], TypeError, 'ERR_INVALID_ARG_TYPE', message('outFd'))
      await check([1, value, 0, 1], TypeError, 'ERR_INVALID_ARG_TYPE', message('inFd'))
    }
  })

  test(`${name}: a number that can be no descriptor is a RangeError`, async () => {
    for (const argument of ['outFd', 'inFd']) {
      const args = (value) => argument === 'outFd' ? [value, 0, 0, 1] : [1, value, 0, 1]
      const range = (value, must, received) => check(args(value), RangeError, 'ERR_OUT_OF_RANGE',
        `The value of "${argument}" is out of range. It must be ${must}. Received ${received}`)
      await range(-1, '>= 0 && <= 2147483647', '-1')
      await range(2 ** 31, '>= 0 && <= 2147483647', '2_147_483_648')
      await range(1.5, 'an integer', '1.5')
      await range(NaN, 'an integer', 'NaN')
      await range(Infinity, 'an integer', 'Infinity')
      await check(args({ fd: 2 ** 32 + 1 }), RangeError, 'ERR_OUT_OF_RANGE',
        `The value of "${argument}.fd" is out of range. It must be >= 0 && <= 2147483647. Received 4_294_967_297`)
    }
  })

  test(`${name}: off is an integer or BigInt to 2^63-1, or null`, async () => {
    const type = (value, received) => check([1, 0, value, 1], TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "off" argument must be of type number or bigint, or null. Received ${received}`)
    await type(undefined, 'undefined')
    await type('0', 'type string (\'0\')')
    await type({ valueOf: () => 0 }, 'an instance of Object')

    const range = (value, must, received) => check([1, 0, value, 1], RangeError, 'ERR_OUT_OF_RANGE',
      `The value of "off" is out of range. It must be ${must}. Received ${received}`)
    await range(-1, '>= 0 && <= 9223372036854775807', '-1')
    await range(2 ** 63, '>= 0 && <= 9223372036854775807', '9_223_372_036_854_776_000')
    await range(0.5, 'an integer', '0.5')
    await range(NaN, 'an integer', 'NaN')
    await range(-1n, '>= 0n && <= 9223372036854775807n', '-1n')
    await range(2n ** 63n, '>= 0n && <= 9223372036854775807n', '9_223_372_036_854_775_808n')
    await range(2n ** 200n, '>= 0n && <= 9223372036854775807n',
      String(2n ** 200n).replace(/\B(?=(\d{3})+$)/g, '_') + 'n')
  })

  test(`${name}: len is an integer from 0 to 2^53-1`, async () => {
    const type = (value, received) => check([1, 0, 0, value], TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "len" argument must be of type number. Received ${received}`)
    await type(undefined, 'undefined')
    await type(null, 'null')
    await type(1n, 'type bigint (1n)')
    await type('1', 'type string (\'1\')')

    const range = (value, must, received) => check([1, 0, 0, value], RangeError, 'ERR_OUT_OF_RANGE',
      `The value of "len" is out of range. It must be ${must}. Received ${received}`)
    await range(-1, '>= 0 && <= 9007199254740991', '-1')
    await range(2 ** 53, '>= 0 && <= 9007199254740991', '9_007_199_254_740_992')
    await range(1.5, 'an integer', '1.5')
    await range(NaN, 'an integer', 'NaN')
    await range(-Infinity, 'an integer', '-Infinity')
  })

  test(`${name}: a stream or socket without a descriptor says why it has none`, async (t) => {
    const file = temporaryFile(t, 'x')
    const none = (owner, why) => check([owner, 0, 0, 1], Error, 'ERR_SENDFILE_NO_DESCRIPTOR',
      `The "outFd" argument has no descriptor to use: ${why}`)

    const writable = fs.createWriteStream(file.path)
    await none(writable, 'the stream is not open yet')
    await once(writable, 'ready')
    writable.destroy()
    await once(writable, 'close')
    await none(writable, 'it is closed')

    const readable = fs.createReadStream(file.path)
    const inFd = await failure(1, readable, 0, 1)
    assert.equal(inFd.message, 'The "inFd" argument has no descriptor to use: the stream is not open yet')
    readable.destroy()

    const handle = await fs.promises.open(file.path)
    await handle.close()
    await none(handle, 'it is closed')

    await none(new net.Socket(), 'the socket is closed')
    const { here } = await connection(t)
    here.destroy()
    await none(here, 'the socket is closed')

    const server = net.createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const connecting = net.connect(server.address().port, '127.0.0.1')
    await none(connecting, 'the socket is still connecting')
    connecting.destroy()

    const pair = await connection(t)
    const encrypted = new tls.TLSSocket(pair.here)
    await none(encrypted, 'a TLS socket, whose bytes must be encrypted')
    encrypted.destroy()
  })

  test(`${name}: bad arguments have no side effect`, async (t) => {
    const file = temporaryFile(t, 'contents')
    const input = open(t, file.path)
    const output = open(t, `${temporaryFolder(t)}/out`, 'w+')
    for (const args of [[output, input, null, -1], [output, input, -1, 1], [output, input, null]]) {
      assert.ok((await failure(...args)) instanceof Error)
    }
    assert.equal(fs.fstatSync(output).size, 0)
    assert.equal(fs.readSync(input, Buffer.alloc(8)), 8, 'the position is where it was')
  })
}

test('a callback that is no function is refused', () => {
  for (const [value, received] of [[null, 'null'], [1, 'type number (1)'], [{}, 'an instance of Object']]) {
    const err = thrown(() => sendfile(1, 0, 0, 1, value))
    assert.equal(err.code, 'ERR_INVALID_ARG_TYPE')
    assert.equal(err.message, `The "callback" argument must be of type function. Received ${received}`)
  }
})

test('watchWritable takes an open, connected, unencrypted net.Socket', async (t) => {
  for (const value of [undefined, null, 1, {}, { fd: 1 }, fs.createReadStream(__filename).on('error', () => {})]) {
    const err = thrown(() => watchWritable(value))
    assert.ok(err instanceof TypeError)
    assert.equal(err.code, 'ERR_INVALID_ARG_TYPE')
    assert.match(err.message, /^The "socket" argument must be an instance of net\.Socket\. Received /)
  }
  const none = (socket, why) => {
    const err = thrown(() => watchWritable(socket))
    assert.equal(err.code, 'ERR_SENDFILE_NO_DESCRIPTOR')
    assert.equal(err.message, `The "socket" argument has no descriptor to use: ${why}`)
  }
  const { here, there } = await connection(t)
  const connecting = net.connect(here.localPort, '127.0.0.1').on('error', () => {})
  none(connecting, 'the socket is still connecting')
  connecting.destroy()
  const encrypted = new tls.TLSSocket(there)
  none(encrypted, 'a TLS socket, whose bytes must be encrypted')
  encrypted.destroy()
  here.destroy()
  none(here, 'the socket is closed')
})
