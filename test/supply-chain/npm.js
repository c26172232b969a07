'use strict'

// What npm itself says of the lock file, and of a fresh clone.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

function npm (args, cwd = root) {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 900_000 })
  return { status, said: `${stdout}${stderr}` }
}

function inFolder (run) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-npm-'))
  try {
    return run(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether `npm ci` would take this manifest with this lock file: null, or what it says. */
function refusal (manifest, lock) {
  return inFolder((folder) => {
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest))
    fs.writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify(lock))
    const { status, said } = npm(['ci', '--dry-run', '--ignore-scripts'], folder)
    return status === 0 ? null : said.split('\n').filter((line) => /error/.test(line)).slice(0, 20).join('\n')
  })
}

/** `npm ci` in a fresh clone of what is committed, which builds the addon, and a call of it: null, or what fails. */
function freshClone () {
  return inFolder((folder) => {
    const clone = path.join(folder, 'clone')
    const cloned = spawnSync('git', ['clone', '--quiet', root, clone], { encoding: 'utf8' })
    if (cloned.status !== 0) return cloned.stderr
    const { status, said } = npm(['ci'], clone)
    if (status !== 0) return said.slice(-4000)
    const program = `
      const { EBADF } = require('node:os').constants.errno
      process.exit(require('sendfile-native').trySendfile(1, 999999, 0, 1) === -EBADF ? 0 : 1)
    `
    const { status: code, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: clone, encoding: 'utf8' })
    const { stdout: changed } = spawnSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' })
    if (code !== 0) return `the addon that was built does not work: ${stderr}`
    return changed === '' ? null : `npm ci changes files of the clone: ${changed}`
  })
}

/** Signatures of the registry: `{ missing }` where it does not answer. */
function signatures () {
  const { status, said } = npm(['audit', 'signatures'])
  if (status === 0) return { missing: false, failure: null }
  const isRefused = /(invalid|missing) registry signature|tampered/i.test(said)
  return isRefused ? { missing: false, failure: said.slice(0, 4000) } : { missing: true }
}

/** Known vulnerabilities of what is installed with the package: `{ missing }` where the registry does not tell. */
function vulnerabilities () {
  const { status, said } = npm(['audit', '--omit=dev', '--json'])
  if (status === 0) return { missing: false, failure: null }
  return /"vulnerabilities"/.test(said) ? { missing: false, failure: said.slice(0, 4000) } : { missing: true }
}

module.exports = { freshClone, refusal, signatures, vulnerabilities }
