'use strict'

// npm run test:differential -- [--programs N] [--seed S] [--only PROGRAM] [--against NAME]
//
// Random programs on our createReadStream and on that of fs: the bytes, the events, the errors and the descriptors
// have to be the same. A difference prints the seed of its program, and `--only` runs that one. Others than ours,
// such as 'fs' itself, can be compared by their names in reference.js and broken.js.

const { inspect } = require('node:util')
const { stats } = require('sendfile-native')
const { descriptors, isNative, startReactor, turns } = require('../helpers')
const { tellProof } = require('../helpers/proof')
const { Random, mixed } = require('../soak/random')
const { broken } = require('./broken')
const { check } = require('./check')
const { harmless, reference } = require('./reference')
const { countRegions, ours } = require('./ours')

const REPORT_MS = 10_000
const SETTLE_MS = 5_000
const MOST_PRINTED = 20

const options = { programs: '10000' }
for (let args = process.argv.slice(2); args.length > 0; args = args.slice(2)) options[args[0].replace(/^--/, '')] = args[1]
const count = Number(options.programs)
const seed = options.seed === undefined ? Math.floor(Math.random() * 0x100000000) : Number(options.seed)
const tested = [ours, reference, ...harmless, ...broken].find(({ name }) => name === (options.against ?? ours.name))
const isKnown = Object.keys(options).every((name) => ['programs', 'seed', 'only', 'against'].includes(name))
if (!isKnown || !(count > 0) || !Number.isInteger(seed) || !tested) {
  console.error('usage: npm run test:differential -- [--programs N] [--seed S] [--only PROGRAM] [--against NAME]')
  process.exit(2)
}

let begun = 0
function* seeds () {
  if (options.only !== undefined) {
    begun = 1
    yield Number(options.only)
    return
  }
  for (; begun < count; begun++) yield mixed(seed, begun)
}

async function main () {
  console.log(`differential: ${tested.name} against fs, ${options.only === undefined ? `${count} programs, --seed ${seed}` : `--only ${options.only}`}, Node ${process.version}`)
  const began = Date.now()
  const eligible = tested.isOurs && countRegions()
  const differences = []
  const seconds = () => Math.round((Date.now() - began) / 1000)
  const reporting = setInterval(() => console.log(`${seconds()} s: ${begun} programs, ${differences.length} differences`), REPORT_MS)
  // What is opened once is open before things are counted.
  if (isNative) await startReactor()
  await check([new Random(1).next()], tested, () => {})
  const before = sockets()
  await check(seeds(), tested, (difference) => {
    differences.push(difference)
    if (differences.length <= MOST_PRINTED) print(difference)
  })
  clearInterval(reporting)
  for (const end = Date.now() + SETTLE_MS; sockets() > before && Date.now() < end;) {
    globalThis.gc?.()
    await turns(100)
  }
  const left = sockets() - before
  if (left > 0) console.log(`DIFFERENCE: ${left} descriptors are left open: ${[...descriptors().values()].join(' ')}`)
  // Streams that never use zero copy would agree, and prove nothing.
  const { bytes, streams } = stats()
  const isIdle = tested.isOurs && isNative && begun > 100 && bytes.inline + bytes.reactor === 0
  if (tested.isOurs) {
    console.log(`bytes by lane: ${inspect(bytes)}`)
    const share = Math.round(eligible.runs / begun * 100)
    console.log(`streams that hand over regions: in ${share} % of the programs, ${streams.regions} regions of ${streams.bytes} bytes`)
  }
  if (isIdle) console.log('DIFFERENCE: not one byte went by zero copy')
  console.log(`${begun} programs in ${seconds()} s, ${differences.length} differences (--seed ${seed})`)
  tellProof({ cases: begun, findings: differences.length + (left > 0 ? 1 : 0) + (isIdle ? 1 : 0) })
}

function sockets () {
  return descriptors().size
}

function print ({ seed, program, expected, got }) {
  const shown = (value) => inspect(value, { depth: 9, breakLength: 160 })
  console.log(`DIFFERENCE --only ${seed}`)
  console.log(`  program: ${JSON.stringify(program)}`)
  for (const outcome of expected.slice(0, 2)) console.log(`  fs (${expected.length} outcomes): ${shown(outcome)}`)
  console.log(`  ${tested.name}: ${shown(got)}`)
}

main().catch((err) => {
  console.error(err)
  process.exit(1)
})
