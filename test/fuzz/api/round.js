'use strict'

// Cases of one seed in a process of its own, which may die of them: test/fuzz/api tells its end from its exit.

const { inspect } = require('node:util')
const api = require('sendfile-native')
const { Random, mixed } = require('../../soak/random')
const { descriptors, startReactor } = require('../../helpers')
const { Case } = require('./case')
const { World } = require('./world')

const [seed, cases] = process.argv.slice(2).map(Number)

/** What is closed at the end is closed by then, in milliseconds. */
const SETTLE_MS = 15_000

const findings = []
const outcomes = {}
let current = null

function find (index, what) {
  findings.push(`case ${index}: ${what}`)
}

for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (err) => {
    // A callback's own exception is everybody's, as any callback's.
    if (recent.some((one) => one.thrownByCallbacks.has(err) || (one.usesRevoked && /revoked/.test(err?.message)))) return
    find(current?.index, `${current?.name}: ${event}: ${inspect(err)}`)
  })
}

/** Cases that something may still come from. */
const recent = []

async function main () {
  const world = new World()
  await world.open()
  await startReactor()
  // A first transfer of each kind starts what is started once.
  for (let warm = 0; warm < 5; warm++) await runCase(world, mixed(seed, 1_000_000 + warm), -1)
  await settled(world)
  const before = open()
  for (let index = 0; index < cases; index++) await runCase(world, mixed(seed, index), index)
  let after = await settled(world)
  const until = Date.now() + SETTLE_MS
  while (`${after}` !== `${before}` && Date.now() < until) after = await settled(world)
  if (`${after}` !== `${before}`) find('all', `descriptors: ${before.join(' ')}; and at the end: ${after.join(' ')}`)
  const { transfers } = api.stats()
  if (transfers.active !== 0) find('all', `${transfers.active} transfers are still active`)
  world.close()
  process.send({ end: true, findings, outcomes }, () => process.exit())
}

async function runCase (world, from, index) {
  current = new Case(world, new Random(from))
  current.index = index
  recent.push(current)
  if (recent.length > 50) recent.shift()
  await current.run((stage) => process.send({ index, name: current.name, stage }))
  for (const finding of current.findings.splice(0)) find(index, finding)
  for (const outcome of current.outcomes) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
}

/** What is open, without numbers, which differ. */
function open () {
  return [...descriptors().values()].map((target) => target.replace(/\d+/g, '')).sort()
}

async function settled (world) {
  await new Promise((resolve) => setTimeout(resolve, 100))
  globalThis.gc?.()
  const connections = await new Promise((resolve) => world.taker.getConnections((err, count) => resolve(err ? 0 : count)))
  if (connections > 0) await new Promise((resolve) => setTimeout(resolve, 100))
  return open()
}

main()
