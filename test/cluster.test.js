'use strict'

// The workers of a cluster share listening handles, or are handed their connections: they send files as any process.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { MIB, descriptors, digest, isNative, sha256, temporaryFile, test, until } = require('./helpers')
const { startFixture } = require('./helpers/fixture')
const { HOST, answersIn, ask, assertBytes, assertPrefix, connect, readAll } = require('./helpers/http')
const { result } = require('./helpers/results')

const WORKERS = 3

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const BIG = 12 * MIB

/** A cluster until the test ends: its primary, and the process ids of its workers. */
async function startCluster (t, policy) {
  const primary = startFixture(t, 'cluster.js', [policy, String(WORKERS)])
  const running = new Set()
  t.after(() => {
    for (const pid of running) process.kill(pid, 'SIGKILL')
  })
  const { handPort } = await primary.next(({ handPort }) => handPort !== undefined)
  const cluster = { policy, primary, handPort, port: undefined, workers: [] }

  /** A worker that listens. */
  cluster.started = async () => {
    const { pid, port } = await primary.next(({ port }) => port !== undefined)
    running.add(pid)
    cluster.workers.push(pid)
    cluster.port ??= port
    assert.equal(port, cluster.port, 'one port for all')
    return pid
  }
  /** How a worker ended. */
  cluster.exit = async (pid) => {
    const { exit } = await primary.next((told) => told.pid === pid && told.exit !== undefined)
    running.delete(pid)
    cluster.workers.splice(cluster.workers.indexOf(pid), 1)
    return exit
  }
  cluster.stats = async (pid) => {
    primary.send({ pid, command: 'stats' })
    return (await primary.next((told) => told.pid === pid && told.stats !== undefined)).stats
  }
  /** How the next call for this file ended, be it any worker's. */
  cluster.outcome = (path) => primary.next((told) => told.path === path)

  for (let i = 0; i < WORKERS; i++) await cluster.started()
  // Threads, and what they have open, start with the first file.
  const file = temporaryFile(t, BIG)
  for (const { socket } of await clientsOfEach(t, cluster, file.path)) {
    await readAll(socket)
    await cluster.outcome(file.path)
  }
  return cluster
}

/** Requests of a file whose answers have begun, unread: `{ pid, socket }`, so many of each worker at least. */
async function clientsOfEach (t, cluster, path, count = 1) {
  const clients = []
  const begin = async () => { clients.push(await beginAnswer(t, cluster.port, path)) }
  for (const pid of cluster.workers) {
    const untilServed = async () => {
      while (clients.filter((client) => client.pid === pid).length < count) await begin()
    }
    // Whose turn it is, or who is first: then the others have to be held.
    if (cluster.policy === 'SCHED_RR') await untilServed()
    else await whileOthersAreHeld(cluster, pid, untilServed)
  }
  return clients
}

async function whileOthersAreHeld (cluster, pid, run) {
  const others = cluster.workers.filter((other) => other !== pid)
  for (const other of others) process.kill(other, 'SIGSTOP')
  try {
    await run()
  } finally {
    for (const other of others) process.kill(other, 'SIGCONT')
  }
}

async function beginAnswer (t, port, path) {
  const socket = connect(t, port)
  socket.write(ask(encodeURI(path)))
  await once(socket, 'readable')
  const bytes = socket.read()
  socket.unshift(bytes)
  const [{ headers }] = answersIn(bytes)
  return { pid: Number(headers['x-process']), socket }
}

/** The whole of an answer, and which worker gave it. */
async function get (port, path) {
  const request = http.get({ port, host: HOST, path: encodeURI(path), agent: false })
  const [response] = await once(request, 'response')
  return { pid: Number(response.headers['x-process']), ...await digest(response) }
}

/** What all processes of the cluster have open. */
function openIn ({ primary, workers }) {
  return [primary.pid, ...workers].map((pid) => descriptors(pid).size)
}

function untilOpen (cluster, before) {
  return until(() => openIn(cluster).every((count, index) => count <= before[index]))
}

for (const policy of ['SCHED_RR', 'SCHED_NONE']) {
  test(`${policy}: all workers send to many clients at once, and nothing is copied`, async (t) => {
    const cluster = await startCluster(t, policy)
    const files = [10_000, 300_000, 5 * MIB].map((size) => temporaryFile(t, size))
    const open = openIn(cluster)
    const before = new Map()
    for (const pid of cluster.workers) before.set(pid, (await cluster.stats(pid)).bytes)

    const sent = new Map(cluster.workers.map((pid) => [pid, 0]))
    const big = temporaryFile(t, BIG)
    const clients = await clientsOfEach(t, cluster, big.path)
    const downloads = files.flatMap((file) => Array.from({ length: 4 * WORKERS }, async () => {
      const { pid, sha256: arrived, length } = await get(cluster.port, file.path)
      assert.equal(arrived, sha256(file.bytes))
      sent.set(pid, sent.get(pid) + length)
    }))
    await Promise.all(downloads)
    for (const { pid, socket } of clients) {
      const [{ body }] = answersIn(await readAll(socket))
      assertBytes(body, big.bytes)
      sent.set(pid, sent.get(pid) + body.length)
      assert.deepEqual((await cluster.outcome(big.path)).result, result(BIG))
    }
    for (const file of files) {
      for (let i = 0; i < 4 * WORKERS; i++) {
        assert.deepEqual((await cluster.outcome(file.path)).result, result(file.bytes.length))
      }
    }

    for (const pid of cluster.workers) {
      const { bytes } = await cluster.stats(pid)
      const grown = (name) => bytes[name] - before.get(pid)[name]
      assert.equal(grown('copied'), isNative ? 0 : sent.get(pid))
      if (isNative) assert.ok(grown('sendfile') + grown('send') >= sent.get(pid))
      if (isNative) assert.ok(grown('sendfile') > BIG / 2 && grown('reactor') > 0)
    }
    await untilOpen(cluster, open)
  })

  test(`${policy}: a worker that is killed takes its own connections along, and no other`, async (t) => {
    const cluster = await startCluster(t, policy)
    const file = temporaryFile(t, BIG)
    const small = temporaryFile(t, 10_000)
    const open = openIn(cluster)
    const clients = await clientsOfEach(t, cluster, file.path, 2)
    const [victim] = cluster.workers
    process.kill(victim, 'SIGKILL')
    assert.deepEqual(await cluster.exit(victim), { code: null, signal: 'SIGKILL' })

    assert.notEqual((await get(cluster.port, small.path)).pid, victim)
    for (const { pid, socket } of clients) {
      const [{ headers, body }] = answersIn(await readAll(socket))
      assert.equal(headers['content-length'], String(BIG))
      if (pid === victim) assert.ok(body.length < BIG, 'the answer broke off')
      assertPrefix(body, file.bytes)
      if (pid === victim) continue
      assert.equal(body.length, BIG)
      assert.deepEqual((await cluster.outcome(file.path)).result, result(BIG))
    }

    cluster.primary.send({ command: 'fork' })
    const successor = await cluster.started()
    const served = await clientsOfEach(t, cluster, file.path)
    assert.ok(served.some(({ pid }) => pid === successor))
    for (const { socket } of served) assertBytes(answersIn(await readAll(socket))[0].body, file.bytes)
    await untilOpen({ ...cluster, workers: cluster.workers.slice(0, -1) }, [open[0], ...open.slice(2)])
  })

  test(`${policy}: a worker that is disconnected sends what it has begun, and then exits`, async (t) => {
    const cluster = await startCluster(t, policy)
    const file = temporaryFile(t, BIG)
    const clients = await clientsOfEach(t, cluster, file.path)
    const [leaving] = cluster.workers
    cluster.primary.send({ pid: leaving, command: 'disconnect' })
    cluster.primary.send({ pid: leaving, command: 'stats' }) // behind it in the channel: when it answers, it has heard
    const { exit } = await cluster.primary.next((told) => told.pid === leaving && (told.stats ?? told.exit))
    assert.equal(exit, undefined, 'there is something to send')

    for (let i = 0; i < 2 * WORKERS; i++) {
      const { pid, sha256: arrived } = await get(cluster.port, file.path)
      assert.notEqual(pid, leaving, 'nothing new')
      assert.equal(arrived, sha256(file.bytes))
    }
    for (const { socket } of clients) assertBytes(answersIn(await readAll(socket))[0].body, file.bytes)
    assert.deepEqual(await cluster.exit(leaving), { code: 0, signal: null })
  })
}

test('connections that the primary hands to its workers get the file, and its end', async (t) => {
  const cluster = await startCluster(t, 'SCHED_RR')
  const file = temporaryFile(t, BIG)
  const before = openIn(cluster)
  cluster.primary.send({ command: 'hand', path: file.path })
  const clients = Array.from({ length: 2 * WORKERS }, () => connect(t, cluster.handPort))
  for (const { sha256: arrived } of await Promise.all(clients.map(digest))) assert.equal(arrived, sha256(file.bytes))
  for (const client of clients) {
    client.destroy()
    assert.deepEqual((await cluster.outcome(file.path)).result, result(BIG))
  }
  for (const pid of cluster.workers) {
    const { bytes } = await cluster.stats(pid)
    if (isNative) assert.equal(bytes.copied, 0)
    else assert.ok(bytes.copied >= 2 * BIG)
  }
  await untilOpen(cluster, before)
})
