'use strict'

// Memory of the server for each download that nobody takes, beyond that of an idle keep-alive connection. Each kind is
// measured on a server of its own.

const { setTimeout: sleep } = require('node:timers/promises')
const { hold } = require('../lib/load')
const { anonymousMemory, mostOpenFiles } = require('../lib/program')

const WARM_UP = 200
const SETTLE_MS = 300
const STEADY_BYTES = 256 << 10
const TRIES = 20

/** What a server has open for a download at most, and beside all downloads. */
const DESCRIPTORS_EACH = 4
const DESCRIPTORS_BESIDE = 400

async function now (server) {
  const own = await server.ask?.({ about: 'memory' })
  const resident = server.pids.map(anonymousMemory).reduce((sum, bytes) => sum + bytes, 0)
  return { resident, heap: own && own.heap + own.external }
}

/** When nothing moves any more. */
async function settled (server) {
  let current = await now(server)
  for (let tries = 0; tries < TRIES; tries++) {
    const last = current
    await sleep(SETTLE_MS)
    current = await now(server)
    if (Math.abs(current.resident - last.resident) < STEADY_BYTES) break
  }
  return current
}

/** Bytes for each of so many connections. */
async function each (start, options) {
  const server = await start()
  const releases = []
  try {
    releases.push(await hold({ port: server.port, ...options, connections: WARM_UP }))
    const before = await settled(server)
    releases.push(await hold({ port: server.port, ...options }))
    const after = await settled(server)
    const share = (name) => after[name] === undefined ? undefined : (after[name] - before[name]) / options.connections
    return { resident: share('resident'), heap: share('heap') }
  } finally {
    for (const release of releases) await release()
    await server.stop()
  }
}

module.exports = async ({ start, folder, length }, { file, small, connections: wanted }) => {
  const connections = Math.min(wanted, Math.floor((mostOpenFiles() - DESCRIPTORS_BESIDE) / DESCRIPTORS_EACH) - WARM_UP)
  const idle = await each(() => start(folder), { path: `/${small}`, connections, hold: 'idle' })
  const stalled = await each(() => start(folder), { path: `/${file}`, connections, hold: 'stalled', expect: length })
  const beyond = (name) => stalled[name] === undefined ? undefined : stalled[name] - idle[name]
  return { idle: idle.resident, stalled: stalled.resident, beyond: beyond('resident'), heapBeyond: beyond('heap'), connections }
}
