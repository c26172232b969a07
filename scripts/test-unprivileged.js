'use strict'

// Runs the JavaScript suite as a user who owns nothing, over a copy of the repository that belongs to root:
// npm run test:unprivileged, as root. Root hides what the kernel refuses to others: cachestat(2) of a file that they
// neither own nor may write, attaching, mounting.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const NOBODY = 65534
const root = path.join(__dirname, '..')

/** What is not copied: history, caches, and what cargo built apart from the helpers of the tests. */
const HELPERS = ['target', 'target/debug', ...['libtestkit.so', 'slowfs', 'bench-load', 'bench-floor'].map((name) => `target/debug/${name}`)]
const PACKAGES = ['testkit', 'slowfs', 'bench-load', 'bench-floor'].flatMap((name) => ['-p', name])

function isWanted (file) {
  const name = path.relative(root, file)
  if (name === '.git' || name === 'node_modules/.cache') return false
  return !name.startsWith('target') || HELPERS.includes(name)
}

function run (file, args, options) {
  const { status, error } = spawnSync(file, args, { stdio: 'inherit', ...options })
  if (error) throw error
  return status ?? 1
}

function main () {
  if (process.geteuid() !== 0) {
    console.error('test:unprivileged: only root can run something as somebody else, over files that are not theirs')
    return 1
  }
  if (run('cargo', ['build', '--locked', ...PACKAGES], { cwd: root }) !== 0) return 1
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-unprivileged-'))
  try {
    const copy = path.join(folder, 'repository')
    const home = path.join(folder, 'home')
    // eslint-disable-next-line n/no-unsupported-features/node-builtins -- experimental, and as it is since 16.7
    fs.cpSync(root, copy, { recursive: true, filter: isWanted, verbatimSymlinks: true })
    run('chown', ['-R', '0:0', copy])
    run('chmod', ['-R', 'a+rX,go-w', folder])
    fs.mkdirSync(home)
    fs.chownSync(home, NOBODY, NOBODY)
    const wanted = process.argv.slice(2)
    const tests = wanted.length > 0
      ? wanted
      : fs.readdirSync(path.join(copy, 'test')).filter((name) => name.endsWith('.test.js')).map((name) => `test/${name}`)
    // USER and such would be root's, and so would npm's cache and settings.
    const { PATH, SENDFILE_NATIVE, SENDFILE_THREADS } = process.env
    const env = { PATH, HOME: home, TMPDIR: home, npm_config_cache: path.join(home, '.npm') }
    for (const [name, value] of Object.entries({ SENDFILE_NATIVE, SENDFILE_THREADS })) if (value) env[name] = value
    return run(process.execPath, ['--test', ...tests], { cwd: copy, env, uid: NOBODY, gid: NOBODY })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = main()
