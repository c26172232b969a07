'use strict'

// Cases of one seed in a process of its own, which may die of them: test/fuzz/api tells its end from its exit.

const { inspect } = require('node:util')
const api = require('sendfile-native')
const { Random, mixed } = require('../../soak/random')
const { descriptors, startReactor } = require('../../helpers')
const { Case, ofProxy } = require('./case')
const { World, failure } = require('./world')

const [seed, cases] = process.argv.slice(2).map(Number)

/** What is closed at the end is closed by then, in milliseconds. */
const SETTLE_MS = 15_000

/** What becomes of a stream of fs whose constructor threw, and that no listener could be given: its signal, its end. */
const OF_HALF_MADE = new Set(['ABORT_ERR', 'EBADF'])

const findings = []
const outcomes = {}
let current = null

function find (index, what) {
  findings.push(`case ${index}: ${what}`)
}

for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (err) => {
    // A callback's own exception is everybody's, as any callback's; and that of a `write` that somebody pipes to.
    if (err === failure || ofProxy(err)) return
    if (recent.some((one) => one.thrownByCallbacks.has(err))) return
    // fs throws so within a read, of a `highWaterMark` that no buffer has.
    if (err?.code === 'ERR_OUT_OF_RANGE' && /"size"/.test(err.message) && recent.some(({ isStream }) => isStream)) return
    if (OF_HALF_MADE.has(err?.code) && recent.some(({ isHalfMade }) => isHalfMade)) return
    find(current?.index, `${current?.name}: ${event}: ${inspect(err)}`)
  })
}

/** Since which case a descriptor is open. */
const since = new Map()

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
  while (difference(before, after).length > 0 && Date.now() < until) after = await settled(world)
  const left = difference(before, after)
  if (left.length > 0) find('all', `left open: ${left.join('; ')}`)
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
  const now = [...descriptors()].map(([fd, target]) => `${fd} ${target}`)
  for (const one of since.keys()) if (!now.includes(one)) since.delete(one)
  for (const one of now) if (!since.has(one)) since.set(one, `${index}, ${current.name}`)
  for (const outcome of current.outcomes) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
}

function open () {
  return [...descriptors().values()].map(nameless).sort()
}

/** What is open that was not, and since when. */
function difference (before, after) {
  const rest = [...before]
  const more = after.filter((target) => {
    const at = rest.indexOf(target)
    if (at !== -1) rest.splice(at, 1)
    return at === -1
  })
  const from = (target) => [...since].filter(([one]) => nameless(one.replace(/^\d+ /, '')) === target).at(-1)
  return more.map((target) => from(target)?.join(' since case ') ?? target)
}

/** Without numbers, which differ. */
function nameless (target) {
  return target.replace(/\d+/g, '')
}

async function settled (world) {
  await new Promise((resolve) => setTimeout(resolve, 100))
  globalThis.gc?.()
  const connections = await new Promise((resolve) => {
    world.taker.getConnections((err, count) => resolve(err ? 0 : count))
  })
  if (connections > 0) await new Promise((resolve) => setTimeout(resolve, 100))
  return open()
}

main().catch((err) => {
  console.error(err)
  process.exit(1)
})
