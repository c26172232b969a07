'use strict'

// transferFile over a link that loses packets, is slow, has small packets, or breaks: the server in one network, its
// client in another.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { MIB, descriptors, digest, isNative, sha256, temporaryFile, until } = require('./helpers')
const { startFixture } = require('./helpers/fixture')
const { answersIn, ask, assertBytes } = require('./helpers/http')
const { connectFrom, networkTest } = require('./helpers/network')
const { result } = require('./helpers/results')

/** More than the buffers between the two take. */
const BIG = 16 * MIB

/** A server at one end of the link, with all its threads: its connections are idle after so many milliseconds. */
async function startServer (t, { server, client }, { idle = 0 } = {}) {
  const fixture = startFixture(t, 'file-server.js', [server.address, String(idle)], server.through)
  const { port, plainPort } = await fixture.next(({ port }) => port !== undefined)
  const started = { pid: fixture.pid, port, plainPort }

  started.stats = async () => {
    fixture.send({ command: 'stats' })
    return (await fixture.next(({ stats }) => stats !== undefined)).stats
  }
  /** How the next call for this file ended. */
  started.outcome = (path) => fixture.next((told) => told.path === path)
  /** A client that has asked for a file over plain TCP. */
  started.ask = (path) => {
    const child = connectFrom(t, client, server.address, plainPort)
    child.stdin.write(`${path}\n`)
    return child
  }
  /** One that has sent requests, the last of which says so. */
  started.request = (...requests) => {
    const child = connectFrom(t, client, server.address, port)
    child.stdin.write(requests.join(''))
    return child
  }
  /** Asks for the file of which it is told, and nobody reads: what the client and the outcome will be. */
  started.stalled = async (path, request) => {
    const outcome = started.outcome(path)
    const child = request === undefined ? started.ask(path) : started.request(request)
    await once(child.stdout, 'readable')
    return { child, outcome }
  }
  started.settled = (before) => until(() => descriptors(fixture.pid).size <= before)

  const warm = temporaryFile(t, 8 * MIB)
  assertArrived(await digest(started.ask(warm.path).stdout), warm)
  await started.outcome(warm.path)
  return started
}

function assertArrived (arrived, { bytes }) {
  assert.deepEqual(arrived, { sha256: sha256(bytes), length: bytes.length })
}

async function readAll (stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** That a call failed in the middle of its file. */
function assertBroken ({ err }) {
  assert.ok(err.bytesSent > 0 && err.bytesSent < BIG, `in the middle of it: ${err.bytesSent}`)
}

/** That it failed because the connection was reset, be it that reading told first, which closes the socket. */
function assertReset (told) {
  assertBroken(told)
  const { code, cause } = told.err
  assert.match(code === 'ERR_STREAM_PREMATURE_CLOSE' ? String(cause) : code, /^(ECONNRESET|EPIPE)$/)
}

networkTest('packets are lost: every file arrives, and nothing is copied', async (t, ends) => {
  const server = await startServer(t, ends)
  const before = descriptors(server.pid).size
  const { bytes } = await server.stats()
  const files = [1000, 100_000, 4 * MIB, 4 * MIB + 1].map((size) => temporaryFile(t, size))
  for (const end of Object.values(ends)) end.lose(2)
  await Promise.all(files.map(async (file) => assertArrived(await digest(server.ask(file.path).stdout), file)))
  for (const file of files) assert.deepEqual((await server.outcome(file.path)).result, result(file.bytes.length))
  assert.ok(ends.client.filtered > 0, 'some were lost')
  const sent = (await server.stats()).bytes
  const expected = files.reduce((sum, file) => sum + file.bytes.length, 0)
  assert.equal(sent.copied - bytes.copied, isNative ? 0 : expected)
  if (isNative) assert.ok(sent.sendfile - bytes.sendfile > 4 * MIB)
  await server.settled(before)
})

networkTest('pipelined requests over a slow link that loses packets are answered in order, and whole', async (t, ends) => {
  const server = await startServer(t, ends)
  const before = descriptors(server.pid).size
  const files = [10, 300_000, 65_536, 0, MIB, 4097, 700_000, 1].map((size) => temporaryFile(t, size))
  const { wouldBlocks } = await server.stats()
  ends.server.limit('24mbit')
  ends.server.tune('tcp_wmem', '4096 65536 262144')
  ends.client.lose(1)
  const requests = files.map(({ path }, index) => ask(encodeURI(path), { last: index === files.length - 1 }))
  const answers = answersIn(await readAll(server.request(...requests).stdout))
  assert.equal(answers.length, files.length)
  for (const [index, { status, body }] of answers.entries()) {
    assert.equal(status, 200)
    assertBytes(body, files[index].bytes)
    const outcome = await server.outcome(files[index].path)
    assert.deepEqual(outcome.result, result(body.length))
  }
  assert.ok(ends.client.filtered > 0, 'some packets were lost')
  if (isNative) assert.ok((await server.stats()).wouldBlocks > wouldBlocks, 'the link was slower than the file')
  await server.settled(before)
})

networkTest('a slow client on a slow link is not idle', async (t, ends) => {
  const server = await startServer(t, ends, { idle: 1000 })
  const file = temporaryFile(t, 3 * MIB)
  ends.server.limit('8mbit')
  ends.server.tune('tcp_wmem', '4096 65536 131072')
  const began = Date.now()
  const client = server.request(ask(encodeURI(file.path)))
  const [{ body }] = answersIn(await readAll(client.stdout))
  assert.ok(Date.now() - began > 2000, 'the link was as slow as that')
  assertBytes(body, file.bytes)
  const { timeouts, ...outcome } = await server.outcome(file.path)
  assert.deepEqual(outcome.result, result(file.bytes.length))
  assert.equal(timeouts, 0)
})

networkTest('packets of 576 bytes', async (t, ends) => {
  for (const end of Object.values(ends)) end.set('mtu', '576')
  const server = await startServer(t, ends)
  const file = temporaryFile(t, 5 * MIB + 3)
  assertArrived(await digest(server.ask(file.path).stdout), file)
  assert.deepEqual((await server.outcome(file.path)).result, result(file.bytes.length))
})

networkTest('many large bodies at once', async (t, ends) => {
  const server = await startServer(t, ends)
  const before = descriptors(server.pid).size
  const file = temporaryFile(t, BIG)
  const clients = Array.from({ length: 3 }, () => server.request(ask(encodeURI(file.path))))
  for (const bytes of await Promise.all(clients.map(({ stdout }) => readAll(stdout)))) {
    assertBytes(answersIn(bytes)[0].body, file.bytes)
    assert.deepEqual((await server.outcome(file.path)).result, result(BIG))
  }
  await server.settled(before)
})

for (const [name, request] of [['over plain TCP', () => undefined], ['of HTTP', ({ path }) => ask(encodeURI(path))]]) {
  networkTest(`a reset in the middle of a file ${name} fails the call, and nothing is left open`, async (t, ends) => {
    const server = await startServer(t, ends)
    const before = descriptors(server.pid).size
    const file = temporaryFile(t, BIG)
    const { child, outcome } = await server.stalled(file.path, request(file))
    ends.client.filter('meta l4proto tcp counter reject with tcp reset')
    child.stdout.resume() // its window opens, and the server sends more
    const told = await outcome
    assert.ok(ends.client.filtered > 0)
    assertReset(told)
    await server.settled(before)
  })

  networkTest(`a peer that vanishes in the middle of a file ${name} ends with the time-out`, async (t, ends) => {
    const server = await startServer(t, ends, { idle: 500 })
    const before = descriptors(server.pid).size
    const file = temporaryFile(t, BIG)
    ends.server.limit('100mbit') // the file takes longer than it takes to break the link
    const { child, outcome } = await server.stalled(file.path, request(file))
    ends.client.set('down')
    child.stdout.resume()
    const told = await outcome
    assertBroken(told)
    assert.equal(told.err.code, 'ERR_STREAM_PREMATURE_CLOSE')
    assert.equal(told.timeouts, 1)
    await server.settled(before)
  })
}

networkTest('a peer that comes back without its connections resets those of before', async (t, ends) => {
  const server = await startServer(t, ends)
  const before = descriptors(server.pid).size
  const file = temporaryFile(t, BIG)
  ends.server.limit('100mbit')
  const { child, outcome } = await server.stalled(file.path)
  ends.client.set('down')
  child.kill('SIGKILL') // its own reset does not arrive
  await once(child, 'close')
  ends.client.set('up')
  assertReset(await outcome)
  await server.settled(before)
})

networkTest('a link that was down for a while: the file goes on where it was', async (t, ends) => {
  const server = await startServer(t, ends)
  const file = temporaryFile(t, BIG)
  ends.server.limit('200mbit')
  const { child, outcome } = await server.stalled(file.path)
  ends.client.set('down')
  const arrived = digest(child.stdout)
  await new Promise((resolve) => setTimeout(resolve, 300)) // packets are sent again, in vain
  ends.client.set('up')
  assertArrived(await arrived, file)
  assert.deepEqual((await outcome).result, result(BIG))
})
