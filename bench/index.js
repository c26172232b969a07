'use strict'

// How fast, and at what cost, files are sent by this package, by others, and by the least server there can be.
//   npm run bench [-- --quick] [--only <case>,...] [--servers <name>,...] [--rounds N] [--seconds S]
//     [--write | --to <folder>]
// `--write` puts the results into docs/ and README.md; without either they go to a temporary folder.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { select } = require('./cases')
const files = require('./lib/files')
const { machine } = require('./lib/machine')
const rust = require('./lib/rust')
const slowFiles = require('./lib/slow-files')
const { write } = require('./output')
const { measure } = require('./rounds')
const { servers: selectServers } = require('./servers')

/** Seconds of a round, of the warm-up before each, and before a server's first. */
const FULL = { rounds: 3, seconds: 1, warm: 0.3, first: 0.7 }
const QUICK = { rounds: 2, seconds: 0.3, warm: 0.1, first: 0.3 }

function settings () {
  const list = (text) => text?.split(',')
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      to: { type: 'string' },
      only: { type: 'string' },
      servers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' }
    }
  })
  const pace = values.quick ? QUICK : FULL
  return {
    isWritten: values.write,
    to: values.to,
    cases: select({ only: list(values.only), isQuick: values.quick }),
    servers: selectServers(list(values.servers)),
    pace: { ...pace, rounds: Number(values.rounds ?? pace.rounds), seconds: Number(values.seconds ?? pace.seconds) }
  }
}

/** Measures a case, with files that are slow or cold if it needs them. */
async function runCase (each, servers, pace, place) {
  const plain = { name: each.name, title: each.title, short: each.short, columns: each.columns, kind: each.kind }
  const reason = each.missing?.() || (each.needsSlowFiles && slowFiles.unavailable())
  if (reason) return { ...plain, reason, servers: {} }
  if (each.needsColdFiles) files.cold(place.folder)
  if (!each.needsSlowFiles) return { ...plain, servers: await measure(each, servers, pace, place) }
  const slow = await slowFiles.mount()
  try {
    fs.linkSync(path.join(place.folder, each.file), path.join(slow.folder, each.file))
    const beside = { path: slow.paths, connections: slow.paths.length }
    return { ...plain, servers: await measure({ ...each, beside }, servers, pace, { ...place, folder: slow.folder }) }
  } finally {
    await slow.remove()
  }
}

async function main () {
  const { isWritten, to, cases, servers: wanted, pace } = settings()
  const begin = Date.now()
  const [loadBefore] = os.loadavg()
  rust.build()
  const withReasons = wanted.map((server) => ({ ...server, reason: server.missing() }))
  const servers = withReasons.filter(({ reason }) => !reason)
  if (servers.length === 0) throw new Error('there is no server')
  const place = files.create([...new Set(cases.flatMap(({ file, files = [] }) => [file, ...files]).filter(Boolean))])
  try {
    const results = {
      machine: { ...machine(), loadBefore },
      ...pace,
      servers: servers.map(({ name, title, version }) => ({ name, title, version: version?.() })),
      skipped: withReasons.filter(({ reason }) => reason).map(({ name, reason }) => ({ name, reason })),
      cases: []
    }
    for (const each of cases) {
      const started = Date.now()
      results.cases.push(await runCase(each, servers, pace, place))
      console.error(`${each.name}: ${((Date.now() - started) / 1000).toFixed(0)} s`)
    }
    results.tookSeconds = Math.round((Date.now() - begin) / 1000)
    await write(results, { isWritten, to })
  } finally {
    place.remove()
  }
}

main()
