'use strict'

// All fuzzers, one after another: `node test/fuzz [--quick] [--minutes N] [--seed N]`.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { conclude, optionsOf } = require('./proof')

/** Each has its part of the time. */
const PARTS = { native: 0.35, api: 0.35, http: 0.3 }

async function main () {
  const { minutes, replay, seed } = optionsOf({ minutes: 20, quickMinutes: 1.1 }, 'node test/fuzz')
  const sum = { cases: 0, faults: 0, bytes: 0, findings: 0, notes: [] }
  for (const [name, part] of Object.entries(PARTS)) {
    const args = [path.join(__dirname, name), '--minutes', minutes * part, ...(replay ? ['--seed', seed] : [])]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let proof = null
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        if (line.startsWith('proof: ')) proof = JSON.parse(line.slice('proof: '.length))
        else console.log(line)
      }
    })
    const [code, signal] = await once(child, 'close')
    if (proof === null) {
      console.log(`${name}: ended with ${signal ?? code}, and told nothing`)
      proof = { findings: 1, notes: [] }
    }
    for (const count of ['cases', 'faults', 'bytes', 'findings']) sum[count] += proof[count] ?? 0
    sum.notes.push(...proof.notes)
  }
  conclude(sum)
}

main()
