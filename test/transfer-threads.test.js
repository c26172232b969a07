'use strict'

// SENDFILE_THREADS: how many threads move the bytes.

const assert = require('node:assert/strict')
const { MIB, digest, isNative, sha256, temporaryFile, test, until } = require('./helpers')
const { startServer, threadsOf } = require('./helpers/server')

const TRANSFERS = 12

/** How many reactors a server has after that many transfers that wait for their clients, all of which end well. */
async function reactors (t, value) {
  const server = await startServer(t, { SENDFILE_THREADS: value })
  const file = temporaryFile(t, 8 * MIB)
  const outcomes = Array.from({ length: TRANSFERS }, () => server.outcome(file.path))
  const clients = await Promise.all(outcomes.map(() => server.ask(file.path)))
  await until(async () => (await server.command('stats')).transfers.active === TRANSFERS)
  const count = threadsOf(server.pid, 'sendfile-epoll').length
  for (const { sha256: arrived } of await Promise.all(clients.map(digest))) assert.equal(arrived, sha256(file.bytes))
  for (const { result } of await Promise.all(outcomes)) assert.equal(result.zeroCopy, true)
  return count
}

for (const [name, values, expected] of [
  ['so many threads wait for sockets as SENDFILE_THREADS says', ['1', '3'], [1, 3]],
  ['without SENDFILE_THREADS it is one', [undefined], [1]],
  ['nonsense in SENDFILE_THREADS is ignored', ['', '0', '-3', '65', '1.5', '3 threads', '99999999999999999999'],
    [1, 1, 1, 1, 1, 1, 1]]
]) {
  test(name, async (t) => {
    if (!isNative) return t.skip('zero copy is switched off')
    assert.deepEqual(await Promise.all(values.map((value) => reactors(t, value))), expected)
  })
}
