'use strict'

// node test/memory [--quick] [--rounds N] [--seed S] [--only PART]
//
// The native code under tools that watch its memory and its threads: the tests in Rust with sanitizers built in, and
// the addon in Node, on every way by which bytes leave (exercise.js), with sanitizers and under valgrind. Each tool is
// first shown mistakes (mistakes.rs), and has to find them. A report with a frame of the addon is a finding. What is
// missing on a machine is left out, and noted. The first run builds, which takes minutes.

const { tellProof } = require('../helpers/proof')
const { buildAddon, buildMistakes } = require('./builds')
const { judge } = require('./judge')
const { runSuite, suites } = require('./rust-suite')
const { exercise, reportsOf, tools } = require('./tools')

/** Environments that load the addon in exercise.js: the main thread, a worker, and one that is ended. */
const ENVIRONMENTS = 3

const FULL = { suites: ['address', 'thread'], tools: { address: 40, thread: 20, memcheckRelease: 4, memcheck: 2 } }
const QUICK = { suites: ['address'], tools: { address: 3, memcheck: 1 } }

function usage () {
  console.error('usage: node test/memory [--quick] [--rounds N] [--seed S] [--only suite-address|suite-thread|address|thread|memcheckRelease|memcheck]')
  process.exit(2)
}

function readOptions () {
  const options = { quick: false, only: undefined, rounds: undefined, seed: undefined }
  const args = process.argv.slice(2)
  while (args.length > 0) {
    const name = args.shift()
    if (name === '--quick') options.quick = true
    else if (name === '--rounds') options.rounds = Number(args.shift())
    else if (name === '--only') options.only = args.shift()
    else if (name === '--seed') options.seed = Number(args.shift())
    else usage()
  }
  // The quick form is the same each time: what it finds is the doing of a change.
  options.seed ??= options.quick ? 1 : Math.floor(Math.random() * 2 ** 32)
  const { only, rounds = 1, seed } = options
  const { suites, tools } = options.quick ? QUICK : FULL
  const parts = [...suites.map(suiteName), ...Object.keys(tools)]
  if (only !== undefined && !parts.includes(only)) usage()
  if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) usage()
  return options
}

/** What `--only` calls the Rust suite with a sanitizer. */
function suiteName (kind) {
  return `suite-${kind}`
}

class Proof {
  sums = { cases: 0, faults: 0, bytes: 0, findings: 0 }
  notes = new Set()

  find (message) {
    this.sums.findings++
    console.log(`FINDING: ${message}`)
  }

  async suite (kind) {
    const { title, missing } = suites[kind]
    const reason = missing()
    if (reason) return this.leaveOut(title, reason)
    console.log(`${title} ...`)
    const { passed, failure } = await runSuite(kind)
    this.sums.cases += passed
    if (failure !== null) this.find(`${title}:\n${failure}`)
    console.log(`${title}: ${passed} tests passed`)
  }

  /** What a tool does not find here it would not find in the addon. */
  async mistakes (tool) {
    const file = buildMistakes(tool.kind)
    for (const name of tool.mistakes) {
      const { ours } = judge(await reportsOf(tool, file, name), file, 1)
      if (ours.length > 0) this.sums.faults++
      else this.find(`${tool.title} does not see the mistake "${name}"`)
    }
    console.log(`${tool.title}: sees the mistakes ${tool.mistakes.join(', ')}`)
  }

  async tool (name, rounds, seed) {
    const tool = tools[name]
    const reason = tool.missing()
    if (reason) return this.leaveOut(tool.title, reason)
    console.log(`${tool.title} ...`)
    await this.mistakes(tool)
    const addon = buildAddon(tool.kind)
    const { code, stdout, stderr, reports } = await exercise(tool, addon, String(rounds), String(seed))
    const { ours, notes } = judge(reports, addon, ENVIRONMENTS)
    for (const note of [tool.note, ...notes]) if (note) this.notes.add(note)
    for (const { what, frames } of ours) this.find(`${tool.title}: ${what}\n${frames.map(({ text }) => `    ${text}`).join('\n')}`)
    if (code !== 0) return this.find(`${tool.title}: the program ended with ${code} (--seed ${seed}):\n${stdout}${stderr}`.slice(0, 8000))
    const done = JSON.parse(stdout.trim().split('\n').at(-1))
    for (const each of ['cases', 'faults', 'bytes']) this.sums[each] += done[each]
    for (const note of done.notes) this.notes.add(note)
    console.log(`${tool.title}: ${done.cases} ways, ${done.bytes} bytes; ` +
      `${reports.length} reports, ${ours.length} of them of the addon`)
  }

  leaveOut (title, reason) {
    console.log(`${title}: left out: ${reason}`)
    this.notes.add(`${title}: ${reason}`)
  }
}

async function main () {
  const { quick, only, rounds, seed } = readOptions()
  const plan = quick ? QUICK : FULL
  console.log(`memory: ${quick ? 'quick' : 'full'}, --seed ${seed}, Node ${process.version}`)
  const proof = new Proof()
  if (quick) proof.notes.add('quick: without ThreadSanitizer, and without the release build under valgrind')
  const isWanted = (name) => only === undefined || only === name
  if (only !== undefined) proof.notes.add(`only ${only}`)
  for (const kind of plan.suites.filter((kind) => isWanted(suiteName(kind)))) await proof.suite(kind)
  for (const [name, usual] of Object.entries(plan.tools).filter(([name]) => isWanted(name))) {
    await proof.tool(name, rounds ?? usual, seed)
  }
  tellProof({ ...proof.sums, notes: [...proof.notes] })
}

main()
