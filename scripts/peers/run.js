'use strict'

// Runs one suite once, whatever its framework, and says which of its tests passed.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const TOO_LONG_MS = 15 * 60_000
const PROGRAM_TOO_LONG_MS = 60_000

/** In a network of its own, which has nothing but the loopback, and as the owner of the folder: needs root. */
function isolated (folder) {
  const { uid, gid } = fs.statSync(folder)
  const owner = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
  return ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...owner]
}

const underWay = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of underWay) end(child)
    process.exit(1)
  })
}

/** Ends a process and those that it started. */
function end (child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/**
 * @param {string[]} command
 * @param {{ cwd: string, env: object, isolate: boolean, tooLong?: number }} options
 * @returns {Promise<{ code: number | string, stdout: string, stderr: string }>}
 */
function execute (command, { cwd, env, isolate, tooLong = TOO_LONG_MS }) {
  const [file, ...args] = isolate ? [...isolated(cwd), ...command] : command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    underWay.add(child)
    const out = { stdout: [], stderr: [] }
    for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => out[name].push(chunk))
    let late = false
    const timer = setTimeout(() => { late = true; end(child) }, tooLong)
    let grace
    const settle = (code, signal) => {
      if (!underWay.delete(child)) return
      clearTimeout(timer)
      clearTimeout(grace)
      end(child) // what it leaves behind
      const text = (name) => Buffer.concat(out[name]).toString()
      resolve({ code: late ? 'timed out' : signal ?? code, stdout: text('stdout'), stderr: text('stderr') })
    }
    // A process that a test leaves behind may hold the pipes: then there is no 'close'.
    child.on('error', reject).once('close', settle).on('exit', (...how) => { grace = setTimeout(settle, 500, ...how) })
  })
}

/** The program that package.json says a package has. */
function bin (folder, name, program = name) {
  const at = path.join(folder, 'node_modules', name)
  const { bin } = JSON.parse(fs.readFileSync(path.join(at, 'package.json'), 'utf8'))
  return path.join(at, typeof bin === 'string' ? bin : bin[program])
}

function lines (file) {
  return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
}

/** Test points of TAP, nested ones too. */
function tapPoints (text) {
  const tests = []
  for (const [, not, , name] of text.matchAll(/^ *(not )?ok (\d+)(?: -)?(.*)$/gm)) {
    const what = name.replace(/ # time=.*$/, '').replace(/ \{$/, '').trim()
    const skipped = / # (skip|todo)\b/i.test(name)
    tests.push([what, skipped ? 'skipped' : not ? 'failed' : 'passed'])
  }
  return tests
}

const jestStates = { passed: 'passed', failed: 'failed' }

/** Each returns the tests that ran, as names and states, and what the processes wrote. */
const kinds = {
  async mocha (suite, context) {
    const command = ['node', bin(suite.folder, 'mocha', '_mocha'), ...suite.args, '--reporter', path.join(__dirname, 'mocha-reporter.js')]
    const result = await execute(command, { ...context, env: { ...context.env, PEERS_RESULTS: context.file } })
    return { ...result, tests: lines(context.file) }
  },

  async 'node-test' (suite, context) {
    const reporter = [`--test-reporter=${path.join(__dirname, 'node-test-reporter.js')}`, `--test-reporter-destination=${context.file}`]
    const command = ['node', '--test', ...suite.args ?? [], ...reporter, ...suite.files(suite.folder)]
    const result = await execute(command, context)
    return { ...result, tests: lines(context.file) }
  },

  async jest (suite, context) {
    const command = ['node', bin(suite.folder, 'jest'), '--runInBand', ...suite.args, '--json', `--outputFile=${context.file}`]
    const result = await execute(command, context)
    const text = fs.readFileSync(context.file, 'utf8')
    const { testResults } = text ? JSON.parse(text) : { testResults: [] }
    const tests = testResults.flatMap(({ name, status, assertionResults }) => [
      [path.basename(name), status],
      ...assertionResults.map(({ fullName, status }) => [fullName, jestStates[status] ?? 'skipped'])
    ])
    return { ...result, tests }
  },

  async lab (suite, context) {
    const command = ['node', bin(suite.folder, '@hapi/lab', 'lab'), ...suite.args, '-r', 'json', '-o', context.file]
    const result = await execute(command, context)
    const text = fs.readFileSync(context.file, 'utf8')
    const { tests = {}, leaks = [] } = text ? JSON.parse(text) : {}
    const points = Object.entries(tests).flatMap(([group, members]) => members.map(({ title, err, skipped }) => {
      return [`${group} ${title}`, err ? 'failed' : skipped ? 'skipped' : 'passed']
    }))
    return { ...result, tests: [...points, ...leaks.map((leak) => [`leak of ${leak}`, 'failed'])] }
  },

  /** uvu names only what failed. */
  async uvu (suite, context) {
    const result = await execute(['node', bin(suite.folder, 'uvu'), ...suite.args], context)
    const text = result.stdout.replace(/\x1b\[\d+m/g, '') // eslint-disable-line no-control-regex
    const count = (what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(text)?.[1] ?? 0)
    const some = (state, length) => Array.from({ length }, (_, i) => [`${state} ${i + 1}`, state])
    const failed = [...text.matchAll(/^\s*FAIL\s+(.*)$/gm)].map(([, name]) => [name, 'failed'])
    return { ...result, tests: [...some('passed', count('Passed')), ...some('skipped', count('Skipped')), ...failed] }
  },

  /** Programs that print TAP. */
  async tap (suite, context) {
    return programs(suite, context, (file, { code, stdout }) => {
      return [...tapPoints(stdout).map(([name, state]) => [`${file}: ${name}`, state]), [file, code === 0 ? 'passed' : 'failed']]
    })
  },

  /** Programs whose exit code says whether they passed. */
  async programs (suite, context) {
    return programs(suite, context, (file, { code, stdout }) => {
      return [[file, code !== 0 ? 'failed' : /^1\.\.0 # Skipped/m.test(stdout) ? 'skipped' : 'passed']]
    })
  }
}

async function programs (suite, context, testsOf) {
  const files = suite.files(suite.folder)
  const results = new Array(files.length)
  let next = 0
  const lane = async (_, number) => {
    // Where Node's own tests that run at once put their files.
    const env = { ...context.env, TEST_THREAD_ID: String(number + 1) }
    while (next < files.length) {
      const i = next++
      const source = fs.readFileSync(path.join(suite.folder, files[i]), 'utf8')
      const flags = /^\/\/ Flags: (.*)$/m.exec(source)?.[1].trim().split(/\s+/) ?? []
      results[i] = await execute(['node', ...flags, files[i]], { ...context, env, tooLong: PROGRAM_TOO_LONG_MS })
    }
  }
  await Promise.all(Array.from({ length: suite.atOnce ?? 1 }, lane))
  const all = (name) => results.map((result) => result[name]).join('')
  return { code: 0, stdout: all('stdout'), stderr: all('stderr'), tests: files.flatMap((file, i) => testsOf(file, results[i])) }
}

/** A name that occurs again is another test. */
function unique (tests) {
  const seen = new Map()
  return new Map(tests.map(([name, state]) => {
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    return [times === 1 ? name : `${name} #${times}`, state]
  }))
}

/**
 * @param {object} suite as `suiteOf` says
 * @param {{ env: object, isolate: boolean, file: string }} context `file` is where reporters may write
 * @returns {Promise<{ tests: Map<string, string>, code: number | string, stdout: string, stderr: string }>}
 */
async function runSuite (suite, context) {
  fs.writeFileSync(context.file, '')
  fs.chmodSync(context.file, 0o666)
  const result = await kinds[suite.kind](suite, { ...context, cwd: suite.folder })
  return { ...result, tests: unique([...result.tests, ['exit', String(result.code)]]) }
}

module.exports = { runSuite }
