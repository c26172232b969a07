'use strict'

// npm run faults -- [--quick] [--seed S] [--only TEXT]
//
// System calls of a server fail, one after the other, by strace(1), by seccomp(2) and by limits: what that does to
// the request that is struck, and that it does nothing to any other. The full form writes docs/faults.md. The exit code
// is 1 when an outcome is none of those that test/faults/judge.js permits.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { tellProof } = require('../helpers/proof')
const { straceUnavailable } = require('../helpers/server')
const { firsts, groups } = require('./cells')
const { Conditions } = require('./conditions')
const { Files } = require('./files')
const { Matrix } = require('./matrix')
const { writeReport } = require('./report')
const { usersOf } = require('./users')

/** What is counted, and what was found. */
class Proof {
  constructor () {
    this.cases = 0
    this.faults = 0
    this.bytes = 0
    this.findings = 0
    this.notes = []
  }

  found (text) {
    this.findings++
    console.log(`FINDING ${text}`)
  }

  note (text) {
    if (!this.notes.includes(text)) this.notes.push(text)
  }
}

function optionsOf () {
  try {
    const { values } = parseArgs({
      options: { quick: { type: 'boolean' }, seed: { type: 'string', default: '1' }, only: { type: 'string' } }
    })
    if (/^\d+$/.test(values.seed)) return values
  } catch {
    // told below
  }
  console.error('usage: npm run faults -- [--quick] [--seed S] [--only TEXT]')
  process.exit(2)
}

async function main () {
  const { quick: isQuick = false, seed, only } = optionsOf()
  const isWanted = (title) => only === undefined || title.includes(only)
  console.log(`faults: --seed ${seed}${isQuick ? ' --quick' : ''}, Node ${process.version}`)
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-faults-'))
  process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }))
  fs.chmodSync(scratch, 0o755)
  const root = path.join(scratch, 'files')
  fs.mkdirSync(root)
  const files = new Files(root)
  const proof = new Proof()

  const users = usersOf((text) => proof.note(text))
  const matrix = new Matrix(files, proof, { isQuick, seed: Number(seed), scratch })
  if (straceUnavailable()) {
    proof.note(`no matrix: ${straceUnavailable()}`)
  } else {
    const all = [...groups.map((group) => ({ group })), ...firsts.map((group) => ({ group, isFirst: true }))]
    for (const [index, user] of users.entries()) {
      for (const [place, { group, isFirst }] of all.entries()) {
        const title = `${group.call} ${group.by}`
        // Of the two users each group has one, then.
        const isTurn = !isQuick || (place + Number(seed)) % users.length === index
        if (!isTurn || !isWanted(title)) continue
        await matrix.run(group, { isFirst, user }).catch((err) => proof.found(`${title}: ${err.stack}`))
      }
    }
  }
  const conditions = new Conditions(files, proof, { isQuick, users })
  await conditions.run(isWanted)
  if (!isQuick && only === undefined) writeReport(matrix.rows, conditions.rows)
  tellProof(proof)
  process.exit()
}

main()
