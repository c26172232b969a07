'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const { MIB, digest, temporaryFolder, test, until } = require('./helpers')
const { HOST, startCli } = require('./helpers/cli')
const { writeSparse } = require('./browser/media')

const LARGE = 256 * MIB

/** A download that has begun, and stands still. */
async function shareAndBegin (t) {
  const file = path.join(temporaryFolder(t), 'large')
  writeSparse(file, LARGE)
  const program = await startCli(t, file)
  const response = await program.ask('/large')
  await once(response, 'readable')
  return { ...program, response }
}

test('a signal ends it, whoever is connected', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    const { port, get, line, end } = await startCli(t, temporaryFolder(t))
    await get('/') // and its connection is kept
    await line(/GET/)
    const early = net.connect(port, HOST) // as browsers open them, in advance
    early.on('error', () => {}) // a reset, for all we care
    await once(early, 'connect')
    const half = net.connect(port, HOST, () => half.write('GET / HTTP/1.1\r\n'))
    half.on('error', () => {})
    await once(half, 'connect')
    assert.deepEqual(await end(signal), { code: 0, stderr: '' })
  }
})

test('a download under way goes on after the first signal, and its end is that of the program', async (t) => {
  const { child, port, output, response, line } = await shareAndBegin(t)
  child.kill('SIGINT')
  await until(() => output.stderr.includes('\n'))
  assert.equal(output.stderr, 'Waiting for 1 under way: the same again ends that.\n')
  const late = net.connect(port, HOST)
  const [err] = await once(late, 'error')
  assert.equal(err.code, 'ECONNREFUSED')
  assert.equal((await digest(response)).length, LARGE)
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.match(await line(/./), /GET \/large 200 268435456 bytes in /)
})

test('the second signal ends downloads', async (t) => {
  const { child, output, response, line } = await shareAndBegin(t)
  child.kill('SIGINT')
  await until(() => output.stderr.includes('\n'))
  const reset = assert.rejects(digest(response), { code: 'ECONNRESET' })
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  await reset
  assert.match(await line(/./), /GET \/large 200 \d+ bytes in [^,]+, .*aborted$/)
})
