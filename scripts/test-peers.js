'use strict'

// Runs the test suites of other people's file servers, unmodified, without and with sendfile-native/register:
//   npm run test:peers -- <folder of checkouts> [version of Node ...]
//     --only name,name    these checkouts
//     --baseline          only without
//     --register file     another file than the package's register
//     --isolate           in a network of nothing but the loopback, as the owner of each folder (needs root)
//     --log folder        keeps what the suites print
// The checkouts have their development dependencies installed: see docs/compatibility.md.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { nodeFolder } = require('./node-version')
const { runSuite } = require('./peers/run')
const { suiteOf } = require('./peers/suites')

const root = path.join(__dirname, '..')

/** How often a suite is run again without, when a run with was different: some tests vary by themselves. */
const AGAIN = 3

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    baseline: { type: 'boolean' },
    register: { type: 'string' },
    isolate: { type: 'boolean', default: false },
    log: { type: 'string' }
  }
})
const isVersion = (argument) => /^\d+$/.test(argument)
const checkouts = positionals.find((argument) => !isVersion(argument)) ?? process.env.PEERS
const versions = positionals.filter(isVersion)
if (checkouts === undefined) {
  console.error('usage: npm run test:peers -- <folder of checkouts> [version of Node ...]')
  process.exit(2)
}

/** The package as its users get it, and the addon as it is built here: the path of its register. */
function installPackage (folder) {
  const npm = (...args) => execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const tarball = npm('pack', root, '--ignore-scripts', '--silent').trim().split('\n').pop()
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}')
  npm('install', `./${tarball}`, '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent')
  for (const file of fs.readdirSync(root).filter((file) => file.endsWith('.node'))) {
    fs.copyFileSync(path.join(root, file), path.join(folder, 'node_modules', 'sendfile-native', file))
  }
  return path.join(folder, 'node_modules', 'sendfile-native', 'register.js')
}

/** What the processes of a suite said at their exits of the bytes of files that they sent: SENDFILE_NATIVE_DEBUG=1. */
function reportedBytes (stderr) {
  const sum = { native: 0, all: 0, processes: 0 }
  for (const [, json] of stderr.matchAll(/sendfile-native: (\{.*\})/g)) {
    const report = JSON.parse(json)
    sum.processes++
    sum.native += report.native?.bytes ?? 0
    for (const part of Object.values(report)) sum.all += part?.bytes ?? 0
  }
  return sum
}

function environment (folder, register) {
  const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}`, NO_COLOR: '1' }
  if (options.isolate) env.HOME = os.tmpdir()
  for (const name of Object.keys(env)) {
    if (/^(NODE_OPTIONS|SENDFILE_|npm_|FORCE_COLOR|PEERS)/.test(name)) delete env[name]
  }
  if (!register) return env
  return { ...env, NODE_OPTIONS: `--require "${register}"`, SENDFILE_NATIVE_DEBUG: '1' }
}

function counts ({ tests, code }) {
  const count = (state) => [...tests.values()].filter((other) => other === state).length
  const text = `${count('passed')} / ${count('failed')} / ${count('skipped')}`
  return typeof code === 'string' ? `${text} (${code})` : text
}

/** Whether there is nothing but the exit. */
function isEmpty ({ tests }) {
  return tests.size <= 1
}

function failures ({ tests }) {
  return [...tests].filter(([, state]) => state === 'failed').map(([name]) => name)
}

/**
 * The tests that ended otherwise with the register.
 * @param {{ tests: Map<string, string> }[]} without one run, or several: what varies among them says nothing
 */
function differences (without, having) {
  const names = new Set([...without, having].flatMap(({ tests }) => [...tests.keys()]))
  const state = ({ tests }, name) => tests.get(name) ?? 'not run'
  return [...names].filter((name) => {
    const states = new Set(without.map((run) => state(run, name)))
    return states.size === 1 && !states.has(state(having, name))
  }).map((name) => `${name}: ${state(without[0], name)} without, ${state(having, name)} with`)
}

function commit (folder) {
  const args = ['-c', 'safe.directory=*', '-C', folder, 'rev-parse', '--short=10', 'HEAD']
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

function row (cells) {
  console.log(`| ${cells.join(' | ')} |`)
}

async function main () {
  const only = options.only?.split(',')
  const suites = fs.readdirSync(checkouts).sort()
    .filter((name) => only === undefined || only.includes(name))
    .map((name) => suiteOf(path.resolve(checkouts, name)))
    .filter(Boolean)
  const nodes = (versions.length ? versions : ['20', '22', '24']).map((major) => ({ major, folder: nodeFolder(major) }))
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'peers-'))
  fs.chmodSync(scratch, 0o755)
  process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }))
  const own = () => options.register ? path.resolve(options.register) : installPackage(scratch)
  const register = options.baseline ? null : own()
  if (register && !fs.existsSync(register)) throw new Error(`there is no ${register}`)
  const file = path.join(scratch, 'results')
  if (options.log) fs.mkdirSync(options.log, { recursive: true })

  /** One run; `with` the register or without. */
  const run = async (suite, { major, folder }, register) => {
    const result = await runSuite(suite, { env: environment(folder, register), isolate: options.isolate, file })
    if (options.log) {
      const name = `${path.basename(suite.folder)}-${major}-${register ? 'with' : 'without'}`
      const tests = [...result.tests].map(([test, state]) => `${state}\t${test}\n`).join('')
      const text = `${tests}\nexit: ${result.code}\n\n${result.stdout}\n${result.stderr}`
      fs.writeFileSync(path.join(options.log, `${name}.log`), text)
    }
    return result
  }

  const notes = []
  let different = 0
  row(['suite', 'version', 'commit', 'Node', 'passed / failed / skipped without', 'with', 'native bytes', 'same'])
  row(['---', '---', '---', '---', '---', '---', '---', '---'])
  for (const suite of suites) {
    for (const node of nodes.filter(({ major }) => suite.runsOn(major))) {
      const title = `${suite.name} ${suite.version} on Node ${node.major}`
      const cells = [suite.name, suite.version, commit(suite.folder), node.major]
      const without = await run(suite, node, null)
      notes.push(...failures(without).map((name) => `${title}, without: failed: ${name}`))
      if (isEmpty(without)) notes.push(`${title}: no test ran, exit ${without.code}: ${without.stderr.slice(-500)}`)
      if (!register) {
        row([...cells, counts(without), '', '', ''])
        continue
      }
      const having = await run(suite, node, register)
      const { native, all, processes } = reportedBytes(having.stderr)
      const share = all ? `${native} (${(100 * native / all).toFixed(1)} %)` : '0'
      const runs = [without]
      let found = differences(runs, having)
      notes.push(...found.map((what) => `${title}: ${what}`))
      while (found.length && runs.length <= AGAIN) {
        runs.push(await run(suite, node, null))
        found = differences(runs, having)
      }
      if (!processes) notes.push(`${title}: no process reported`)
      if (found.length || isEmpty(without)) different++
      const same = runs.length === 1 ? 'yes' : found.length ? '**no**' : `yes: what differs varies without, in ${runs.length} runs`
      row([...cells, counts(without), counts(having), share, same])
    }
  }
  console.log(['', ...notes].join('\n'))
  if (register) console.log(different ? `\n${different} runs differ` : '\nevery suite is as without')
  process.exitCode = different ? 1 : 0
}

main()
