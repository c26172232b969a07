'use strict'

// npm run prove -- [--quick] [--only NAME,NAME] [--again] [--write]
//
// All long proofs, one after the other: hours of them, or with --quick their short forms. What has passed is not run
// again for the same state of the repository, unless --again says so. --write puts the table into docs/reliability.md.
// The exit code is 1 when anything was found.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { Progress, root } = require('./progress')
const { insert, report } = require('./report')
const { runStage } = require('./run-stage')
const stages = require('./stages')

const RELIABILITY = path.join(root, 'docs', 'reliability.md')
const HELPERS = ['testkit', 'slowfs', 'bench-load', 'bench-floor'].flatMap((name) => ['-p', name])

function settings () {
  const options = { again: { type: 'boolean' }, only: { type: 'string' }, quick: { type: 'boolean' }, write: { type: 'boolean' } }
  const { values } = parseArgs({ options })
  const only = values.only?.split(',') ?? stages.map(({ name }) => name)
  const unknown = only.filter((name) => !stages.some((stage) => stage.name === name))
  if (unknown.length > 0) throw new Error(`there is no proof ${unknown.join(', ')}: ${stages.map(({ name }) => name).join(', ')}`)
  return { ...values, mode: values.quick ? 'quick' : 'full', only }
}

async function main () {
  const { again, mode, only, write } = settings()
  execFileSync('cargo', ['build', '--locked', '-q', ...HELPERS], { cwd: root, stdio: 'inherit' })
  const progress = new Progress(mode)
  for (const stage of stages.filter(({ name }) => only.includes(name))) {
    if (!again && progress.hasPassed(stage.name)) {
      console.log(`${stage.name}: has passed`)
      continue
    }
    console.log(`${stage.name}: ${stage.title}: node ${stage[mode].join(' ')}`)
    progress.keep(stage.name, await runStage(stage[mode]))
  }
  const rows = stages.map(({ name, title }) => ({ name, title, result: progress.of(name) }))
  const text = report(rows, mode)
  console.log(`\n${text}`)
  if (write) fs.writeFileSync(RELIABILITY, insert(fs.readFileSync(RELIABILITY, 'utf8'), text))
  process.exitCode = only.every((name) => progress.hasPassed(name)) ? 0 : 1
}

main().catch((err) => {
  console.error(err.message)
  process.exit(2)
})
