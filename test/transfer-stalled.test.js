'use strict'

// Very many clients that take nothing.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const {
  MIB, cpuTicks, descriptors, digest, isNative, sha256, temporaryFile, temporaryFolder, test, turns, until
} = require('./helpers')
const { startServer } = require('./helpers/server')

const CLIENTS = 5000
/** More than a unix socket holds. */
const FILE_BYTES = 512 * 1024
const WINDOW_MS = 1000

/** Node raises its soft limit to the hard one. */
const [, limit] = /^Max open files +(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))
const skip = (!isNative && 'of zero copy') || (Number(limit) < CLIENTS * 3 + 200 && `only ${limit} descriptors are allowed`)

test('5,000 stalled downloads are held, cost no CPU, and go on', { skip, timeout: 120_000 }, async (t) => {
  const file = temporaryFile(t, FILE_BYTES)
  const socketPath = path.join(temporaryFolder(t), 'socket')
  const server = await startServer(t, { WEB_SOCKET: socketPath })
  const expected = { sha256: sha256(file.bytes), length: FILE_BYTES }
  // More than leaves at once: starts the threads, and what they keep open.
  await server.request(temporaryFile(t, 4 * MIB).path)
  const before = descriptors(server.pid).size
  const ask = async () => {
    const request = http.get({ socketPath, path: encodeURI(file.path), agent: false })
    t.after(() => request.destroy())
    const [response] = await once(request, 'response')
    return response.pause()
  }

  const clients = []
  while (clients.length < CLIENTS) clients.push(...await Promise.all(Array.from({ length: 100 }, ask)))
  await until(async () => (await server.command('stats')).transfers.active === CLIENTS)
  const held = descriptors(server.pid).size - before
  assert.ok(held <= CLIENTS * 3 + 50, `a connection, its duplicate and the file each: ${held}`)

  await turns(100)
  const ticks = cpuTicks(server.pid)
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
  assert.ok(cpuTicks(server.pid) - ticks <= 2, 'a tick of 10 ms or two, should one have been under way')

  assert.deepEqual((await server.request(file.path)).arrived, expected, 'another client is served meanwhile')

  const [gone, patient] = [clients.slice(0, CLIENTS / 2), clients.slice(CLIENTS / 2)]
  for (const response of gone) response.destroy()
  await until(async () => (await server.command('stats')).transfers.active === patient.length)
  while (patient.length > 0) {
    const arrived = await Promise.all(patient.splice(0, 100).map(digest))
    for (const each of arrived) assert.deepEqual(each, expected)
  }
  assert.equal((await server.command('stats')).bytes.copied, 0)
  await server.settled(before)
})
