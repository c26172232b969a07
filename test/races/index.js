'use strict'

// Every race of test/helpers/races.js, for its part of the time: `npm run test:races -- --minutes 10`. A line of each;
// the exit code is 1 when anything from outside the root was sent.

const fs = require('node:fs')
const { constants: { errno } } = require('node:os')
const os = require('node:os')
const path = require('node:path')
const { tellProof } = require('../helpers/proof')
const { PUBLIC, prepare, races, run } = require('../helpers/races')
const { OPENAT2, startSite } = require('../helpers/static')

const position = process.argv.indexOf('--minutes')
const minutes = position === -1 ? 1 : Number(process.argv[position + 1])
if (!(minutes > 0)) {
  console.error('usage: npm run test:races -- [--minutes N]')
  process.exit(2)
}

const ways = { openat2: [], 'no openat2': [[OPENAT2, errno.ENOSYS]] }

async function main () {
  const all = Object.keys(ways).flatMap((way) => Object.entries(races).map(([name, race]) => ({ way, name, race })))
  let escapes = 0
  let [requests, bytes] = [0, 0]
  for (const { way, name, race } of all) {
    const cleanups = []
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-races-'))
    const { root, pair } = prepare(folder, race)
    const { port } = await startSite({ after: (cleanup) => cleanups.push(cleanup) }, root, {}, { refuse: ways[way] })
    const end = Date.now() + minutes * 60_000 / all.length
    const counts = await run({ port, pair, target: race.target }, () => Date.now() >= end)
    escapes += counts.escapes
    requests += counts.requests
    bytes += counts.inside * PUBLIC.length
    console.log(`${way}: ${name}: ${counts.requests} requests, ${counts.swaps} exchanges, answered ${JSON.stringify(counts.statuses)}, ${counts.escapes} escapes`)
    for (const cleanup of cleanups) cleanup()
    fs.rmSync(folder, { recursive: true })
  }
  console.log(escapes === 0 ? 'nothing from outside the root was sent' : `${escapes} escapes`)
  tellProof({ cases: requests, bytes, findings: escapes })
}

main()
