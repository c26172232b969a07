'use strict'

// node test/simulation [--quick] [--seed N] [--seeds N] [--orders N]
//
// The engine's own sources over a simulated kernel: one run for each seed, from --seed on. Then models of what threads
// hand to each other, each in so many orders of three kinds. The crate beside this file is both; a run that fails
// prints how to replay it.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { createInterface } = require('node:readline')
const { tellProof } = require('../helpers/proof')

const root = path.join(__dirname, '..', '..')
const FULL = { seeds: 1_000_000, orders: 100_000 }
const QUICK = { seeds: 50_000, orders: 5_000 }
/** Of all seeds, so many are run with two reactors too. */
const SHARE_OF_TWO_REACTORS = 10

function options () {
  const args = process.argv.slice(2)
  const isQuick = args[0] === '--quick'
  const chosen = { seed: 0, ...(isQuick ? QUICK : FULL) }
  for (let rest = isQuick ? args.slice(1) : args; rest.length > 0; rest = rest.slice(2)) {
    const name = rest[0].replace(/^--/, '')
    const value = Number(rest[1])
    if (!(name in chosen) || !Number.isSafeInteger(value) || value < 0) {
      console.error('usage: node test/simulation [--quick] [--seed N] [--seeds N] [--orders N]')
      process.exit(2)
    }
    chosen[name] = value
  }
  return chosen
}

async function build () {
  const args = ['build', '--release', '--locked', '-p', 'simulation']
  const [code] = await once(spawn('cargo', args, { cwd: root, stdio: 'inherit' }), 'close')
  if (code !== 0) process.exit(1)
}

/** Runs the crate's program. What it prints last is what it came to: without that, it is a finding. */
async function run (args, env = {}) {
  const program = path.join(root, 'target', 'release', 'simulation')
  const stdio = ['ignore', 'pipe', 'inherit']
  const child = spawn(program, args.map(String), { cwd: root, env: { ...process.env, ...env }, stdio })
  let last = ''
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('{')) console.log(line)
    last = line
  }
  if (last.startsWith('{')) return JSON.parse(last)
  console.log(`${args.join(' ')}: ended without a result`)
  return { cases: 0, faults: 0, bytes: 0, findings: 1 }
}

async function main () {
  const { seed, seeds, orders } = options()
  await build()
  const notes = []
  const sum = { cases: 0, faults: 0, bytes: 0, findings: 0 }
  const add = (name, result) => {
    for (const key of Object.keys(sum)) sum[key] += result[key]
    notes.push(`${name}: ${result.cases}`)
  }
  console.log(`seeds ${seed} to ${seed + seeds - 1}`)
  add('seeds', await run(['seeds', seed, seeds]))
  const some = Math.ceil(seeds / SHARE_OF_TWO_REACTORS)
  console.log(`of those, ${some} with two reactors`)
  add('seeds with two reactors', await run(['seeds', seed, some], { SENDFILE_THREADS: '2' }))
  console.log(`models, in ${orders} orders of each kind`)
  add('orders of models', await run(['models', orders, seed]))
  tellProof({ ...sum, notes })
}

main()
