'use strict'

// All fuzzers, one after another: `node test/fuzz [--quick] [--minutes N] [--seed N]`.

const path = require('node:path')
const { options } = require('../helpers/long-proof')
const { tellProof } = require('../helpers/proof')
const { runProof } = require('../prove/run-stage')

/** Each has its part of the time. */
const PARTS = { native: 0.35, api: 0.35, http: 0.3 }

async function main () {
  const { isReplay, minutes, quick, seed } = options('fuzz', { minutes: [20, 1.1] })
  const sum = { cases: 0, faults: 0, bytes: 0, findings: 0, notes: [] }
  for (const [name, part] of Object.entries(PARTS)) {
    const args = [path.join(__dirname, name), '--minutes', String(minutes * part)]
    if (quick) args.push('--quick')
    if (isReplay) args.push('--seed', String(seed))
    const { ended, told } = await runProof(args)
    if (told === null) console.log(`${name}: told nothing, and ${ended ?? 'ended with 0'}`)
    const { notes, ...counts } = told ?? { findings: 1, notes: [] }
    for (const [count, value] of Object.entries(counts)) sum[count] += value
    sum.notes.push(...notes)
  }
  tellProof(sum)
}

main()
