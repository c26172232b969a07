'use strict'

// Runs the test suites of other people's file servers, unmodified, without and with sendfile-native/register; those of
// serve-static and Express also with serveStatic in the place of serve-static, natively and with SENDFILE_NATIVE=off:
//   npm run test:peers -- <folder of checkouts> [version of Node ...]
//     --only name,name    these checkouts
//     --baseline          only without
//     --register file     another file than the package's register, and nothing else
//     --isolate           in a network of nothing but the loopback, as the owner of each folder (needs root)
//     --log folder        keeps what the suites print
// The checkouts have their development dependencies installed: see docs/compatibility.md.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { nodeFolder } = require('./node-version')
const { counts, differences, failures, isEmpty } = require('./peers/compare')
const { runSuite } = require('./peers/run')
const { suiteOf } = require('./peers/suites')
const { waysOf } = require('./peers/ways')

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

/** The package as its users get it, and the addon as it is built here: its folder. */
function installPackage (folder) {
  const npm = (...args) => execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const tarball = npm('pack', root, '--ignore-scripts', '--silent').trim().split('\n').pop()
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}')
  npm('install', `./${tarball}`, '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent')
  const installed = path.join(folder, 'node_modules', 'sendfile-native')
  for (const file of fs.readdirSync(root).filter((file) => file.endsWith('.node'))) {
    fs.copyFileSync(path.join(root, file), path.join(installed, file))
  }
  return installed
}

/** What the processes of a suite said at their exits of the bytes that they sent. */
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

/** @param {object} own what one way of running a suite adds */
function environment (folder, own) {
  const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}`, NO_COLOR: '1' }
  if (options.isolate) env.HOME = os.tmpdir()
  for (const name of Object.keys(env)) {
    if (/^(NODE_OPTIONS|SENDFILE_|npm_|FORCE_COLOR|PEERS)/.test(name)) delete env[name]
  }
  return { ...env, ...own }
}

function commit (folder) {
  const args = ['-c', 'safe.directory=*', '-C', folder, 'rev-parse', '--short=10', 'HEAD']
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return ''
  }
}

/** What is put under the suites. */
function ownFiles (scratch) {
  const folder = options.register ? null : installPackage(scratch)
  const register = folder === null ? path.resolve(options.register) : path.join(folder, 'register.js')
  if (!fs.existsSync(register)) throw new Error(`there is no ${register}`)
  return { register, folder }
}

function sameness ({ expected }, runs) {
  const same = expected.length ? `but for ${expected.length}` : 'yes'
  return runs.length === 1 ? same : `${same}: what differs varies without, in ${runs.length} runs`
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
  const file = path.join(scratch, 'results')
  if (options.log) fs.mkdirSync(options.log, { recursive: true })

  /** One run, as it is or in one of the ways. */
  const run = async (suite, { major, folder }, { name, env } = { name: 'without', env: {} }) => {
    const result = await runSuite(suite, { env: environment(folder, env), isolate: options.isolate, file })
    if (options.log) {
      const tests = [...result.tests].map(([test, state]) => `${state}\t${test}\n`).join('')
      const text = `${tests}\nexit: ${result.code}\n\n${result.stdout}\n${result.stderr}`
      fs.writeFileSync(path.join(options.log, `${path.basename(suite.folder)}-${major}-${name}.log`), text)
    }
    return result
  }

  const own = options.baseline ? null : ownFiles(scratch)
  const notes = []
  let different = 0
  row(['suite', 'version', 'commit', 'Node', 'passed / failed / skipped without', 'with', 'native bytes', 'same'])
  row(['---', '---', '---', '---', '---', '---', '---', '---'])
  for (const suite of suites) {
    for (const node of nodes.filter(({ major }) => suite.runsOn(major))) {
      const cells = [suite.version, commit(suite.folder), node.major]
      const without = await run(suite, node)
      const plain = `${suite.name} ${suite.version} on Node ${node.major}`
      notes.push(...failures(without).map((name) => `${plain}, without: failed: ${name}`))
      if (isEmpty(without)) notes.push(`${plain}: no test ran, exit ${without.code}: ${without.stderr.slice(-500)}`)
      if (own === null) row([suite.name, ...cells, counts(without), '', '', ''])
      const runs = [without]
      for (const way of own === null ? [] : waysOf(suite, own)) {
        const title = `${way.title} ${suite.version} on Node ${node.major}`
        const having = await run(suite, node, way)
        const { native, all, processes } = reportedBytes(having.stderr)
        const share = all ? `${native} (${(100 * native / all).toFixed(1)} %)` : '0'
        let found = differences(runs, having, way.expected)
        notes.push(...found.map((what) => `${title}: ${what}`))
        while (found.length && runs.length <= AGAIN) {
          runs.push(await run(suite, node))
          found = differences(runs, having, way.expected)
        }
        if (!processes) notes.push(`${title}: no process reported`)
        const isIdle = way.mustServe && all === 0
        if (isIdle) notes.push(`${title}: serveStatic sent nothing`)
        const isDifferent = found.length > 0 || isEmpty(without) || isIdle
        if (isDifferent) different++
        row([way.title, ...cells, counts(without), counts(having), share, isDifferent ? '**no**' : sameness(way, runs)])
      }
    }
  }
  console.log(['', ...notes].join('\n'))
  if (own !== null) console.log(different ? `\n${different} runs differ` : '\nevery suite is as without, or differs as it is to')
  process.exitCode = different ? 1 : 0
}

main()
