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
const { charts } = require('./charts')
const files = require('./lib/files')
const { machine } = require('./lib/machine')
const { probe } = require('./lib/probe')
const { peakMemory, root } = require('./lib/program')
const rust = require('./lib/rust')
const slowFiles = require('./lib/slow-files')
const { insert } = require('./readme')
const { report, summary } = require('./report')
const { servers: selectServers } = require('./servers')

/** Seconds of a round, of the warm-up before each, and before a server's first. */
const FULL = { rounds: 3, seconds: 1, warm: 0.3, first: 0.7 }
const QUICK = { rounds: 2, seconds: 0.3, warm: 0.1, first: 0.4 }

const DIGITS = 5

const docs = path.join(root, 'docs')
const readme = path.join(root, 'README.md')

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

/** Why a server has no part in a case; '' when it has. What it answers is looked at. */
async function prepare (entry, each, folder) {
  const { port } = entry.server
  if (each.alsoAsked) {
    const { status } = await probe({ port, folder, name: each.alsoAsked })
    if (status !== 200) return `answers ${status} to /${each.alsoAsked}`
  }
  if (each.beside) {
    const { status } = await probe({ port, folder, name: [each.beside.path].flat()[0].slice(1) })
    if (status !== 200) return `answers ${status} to what is asked for beside`
  }
  if (each.file) {
    const { status, length, type } = await probe({ port, folder, name: each.file, ranges: each.ranges })
    if (status !== (each.status ?? 200)) return `answers ${status}`
    if (each.ranges && !type.startsWith('multipart/byteranges')) return 'answers with other ranges'
    entry.length = length
    const expected = each.ranges ? length : files.sizes[each.file]
    if (length !== expected) throw new Error(`a body of ${length} bytes`)
  }
  return ''
}

/** All rounds of a case: what each server had to say, by its name. */
async function measure (each, servers, pace, { parent, folder }) {
  const rounds = each.rounds ?? pace.rounds
  const told = Object.fromEntries(servers.map(({ name }) => [name, { rounds: [] }]))
  const running = []
  const failed = (entry, err) => {
    told[entry.name].refused = told[entry.name].failed = err.message
    console.error(`${each.name}: ${entry.name} failed: ${err.message}`)
    process.exitCode = 1
  }
  try {
    for (const { name, start } of servers) {
      const entry = { name, start, length: files.sizes[each.file], server: null }
      try {
        if (!each.ownServers) {
          entry.server = await start(folder)
          running.push(entry)
          const refused = await prepare(entry, each, folder)
          if (refused) told[name].refused = refused
        } else {
          running.push(entry)
        }
      } catch (err) {
        failed(entry, err)
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const entry of running) {
        if (told[entry.name].refused) continue
        try {
          const warm = Math.max(round === 0 ? pace.first : pace.warm, each.warm ?? 0)
          const context = { ...pace, warm, parent, folder, ...entry }
          const result = await each.measure(context, each)
          if (entry.server) result.memory = entry.server.pids.map(peakMemory).reduce((sum, bytes) => sum + bytes, 0)
          told[entry.name].rounds.push(result)
        } catch (err) {
          failed(entry, err)
        }
      }
    }
  } finally {
    await Promise.all(running.map(({ server }) => server?.stop()))
  }
  return told
}

/** The same, with files that are slow or cold if it needs them. */
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

/** As JSON, a case a line, in as many digits as mean anything. */
function json ({ cases, ...rest }) {
  const short = (key, value) => typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value
  const head = JSON.stringify(rest, null, 2).replace(/\n\}$/, '')
  return `${head},\n  "cases": [\n${cases.map((each) => JSON.stringify(each, short)).join(',\n')}\n  ]\n}\n`
}

/** Writes what was measured, and says where. */
async function write (results, { isWritten, to }) {
  const folder = isWritten ? docs : to ?? fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-results-'))
  fs.mkdirSync(path.join(folder, 'charts'), { recursive: true })
  const text = report(results)
  fs.writeFileSync(path.join(folder, 'benchmark.json'), json(results))
  fs.writeFileSync(path.join(folder, 'benchmark.md'), text)
  const drawn = await charts(results)
  for (const [name, { svg }] of Object.entries(drawn)) fs.writeFileSync(path.join(folder, 'charts', `${name}.svg`), svg)
  if (isWritten) {
    const titles = Object.fromEntries(Object.entries(drawn).map(([name, { title }]) => [name, title]))
    fs.writeFileSync(readme, insert(fs.readFileSync(readme, 'utf8'), summary(results), titles))
  }
  console.log(text)
  console.error(`written to ${folder}`)
}

async function main () {
  const { isWritten, to, cases, servers: wanted, pace } = settings()
  const begin = Date.now()
  rust.build()
  const withReasons = wanted.map((server) => ({ ...server, reason: server.missing() }))
  const servers = withReasons.filter(({ reason }) => !reason)
  if (servers.length === 0) throw new Error('there is no server')
  const place = files.create([...new Set(cases.flatMap(({ file, files = [] }) => [file, ...files]).filter(Boolean))])
  try {
    const results = {
      machine: machine(),
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
