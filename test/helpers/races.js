'use strict'

// What a name means is changed as fast as the system can, while it is asked for: nothing outside the root is ever sent.

const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { HOST, answersIn, ask } = require('./http')
const { write } = require('./static')

const PUBLIC = 'this is inside'
const MARKER = 'THIS-IS-OUTSIDE-OF-THE-ROOT'

/** Requests that are on their way at a time. */
const BATCH = 50

/**
 * What is raced: `files` of the root, of `private` beside it, and of the folder that has both; the `pair` of names that
 * are exchanged, and the `target` that is asked for.
 */
const races = {
  'a file and a symbolic link out': {
    site: { 'x.txt': PUBLIC, other: { link: '../private/x.txt' } },
    pair: ['site/x.txt', 'site/other'],
    target: '/x.txt'
  },
  'a file and an absolute symbolic link out': {
    site: (folder) => ({ 'x.txt': PUBLIC, other: { link: path.join(folder, 'private', 'x.txt') } }),
    pair: ['site/x.txt', 'site/other'],
    target: '/x.txt'
  },
  'a folder and a symbolic link out': {
    site: { a: { b: { 'x.txt': PUBLIC } }, other: { link: '../private/a' } },
    pair: ['site/a', 'site/other'],
    target: '/a/b/x.txt'
  },
  'two symbolic links, one of them out': {
    site: { a: { b: { 'x.txt': PUBLIC } }, to: { link: 'a' }, other: { link: '../private/a' } },
    pair: ['site/to', 'site/other'],
    target: '/to/b/x.txt'
  },
  'a folder that is moved out of the root, with a link that leads up from it': {
    site: { 'x.txt': PUBLIC, sub: { up: { link: '../x.txt' } } },
    outside: { 'x.txt': MARKER, sub: { up: { link: '../x.txt' } } },
    pair: ['site/sub', 'sub'],
    target: '/sub/up'
  }
}

/** Makes the folder of a race: `{ root, pair }`. */
function prepare (folder, { site, outside = {}, pair }) {
  write(folder, {
    site: typeof site === 'function' ? site(folder) : site,
    private: { 'x.txt': MARKER, a: { b: { 'x.txt': MARKER } } },
    ...outside
  })
  return { root: path.join(folder, 'site'), pair: pair.map((name) => path.join(folder, name)) }
}

/** Asks for one target again and again on one connection, until `isOver(requests)`: how often each answer came. */
async function hammer (port, target, isOver) {
  const counts = { requests: 0, inside: 0, statuses: {}, escapes: 0 }
  while (!isOver(counts.requests)) {
    const socket = net.connect(port, HOST)
    socket.write(ask(target, { last: false }).repeat(BATCH - 1) + ask(target))
    const chunks = []
    for await (const chunk of socket) chunks.push(chunk)
    for (const { status, body } of answersIn(Buffer.concat(chunks))) {
      counts.requests++
      counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
      if (body.includes(MARKER) || (status === 200 && String(body) !== PUBLIC)) counts.escapes++
      else if (status === 200) counts.inside++
    }
  }
  return counts
}

/** A thread that exchanges two names: `swaps()` is how often it did, `stop()` resolves with that. */
async function startSwapper (pair) {
  const control = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(path.join(__dirname, '..', 'fixtures', 'swapper.js'), { workerData: { pair, control } })
  const ended = once(worker, 'exit')
  await once(worker, 'online')
  return {
    swaps: () => Atomics.load(control, 1),
    async stop () {
      Atomics.store(control, 0, 1)
      await ended
      return control[1]
    }
  }
}

/** Runs one, until `isOver(requests, swaps)`: what was answered, and how often the names changed hands. */
async function run ({ port, pair, target }, isOver) {
  const swapper = await startSwapper(pair)
  try {
    const counts = await hammer(port, target, (requests) => isOver(requests, swapper.swaps()))
    return { ...counts, swaps: await swapper.stop() }
  } catch (err) {
    await swapper.stop()
    throw err
  }
}

module.exports = { MARKER, PUBLIC, prepare, races, run }
