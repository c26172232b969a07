'use strict'

// Sends files under Bun and Deno, with the addon as it is built: npm run test:runtimes
// The binaries are npm packages, kept under node_modules/.cache.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const FIXTURE = path.join(root, 'test', 'fixtures', 'runtime.js')
const TOO_LONG_MS = 120_000

// Both publish for glibc; Deno calls it so.
const runtimes = {
  node: { command: () => [process.execPath] },
  bun: { name: `@oven/bun-linux-${process.arch === 'x64' ? 'x64' : 'aarch64'}`, command: (folder) => [`${folder}/bin/bun`] },
  deno: { name: `@deno/linux-${process.arch}-glibc`, command: (folder) => [`${folder}/deno`, 'run', '--allow-all'] }
}

/** The folder of the package that carries a runtime. */
function install (name) {
  const prefix = path.join(root, 'node_modules', '.cache', 'runtimes')
  const folder = path.join(prefix, 'node_modules', name)
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(prefix, { recursive: true })
    if (!fs.existsSync(path.join(prefix, 'package.json'))) fs.writeFileSync(path.join(prefix, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', name]
    const { status } = spawnSync('npm', args, { cwd: prefix, stdio: 'inherit' })
    if (status !== 0) throw new Error(`${name} could not be installed`)
  }
  return folder
}

/** Runs the fixture there, and prints what it reports. */
function passes (runtime) {
  const { name, command } = runtimes[runtime]
  const [file, ...args] = command(name && install(name))
  if (name) fs.chmodSync(file, 0o755)
  const { status, stdout, stderr, error } = spawnSync(file, [...args, FIXTURE], {
    cwd: root, encoding: 'utf8', timeout: TOO_LONG_MS, env: { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }
  })
  console.log(`\n# ${runtime}`)
  try {
    const { version, native, sent } = JSON.parse(stdout)
    console.log(`${JSON.stringify(version)}, ${native ? 'natively' : 'by copying'}`)
    for (const { destination, size, ok, zeroCopy, reason, why } of sent) {
      const how = zeroCopy ? 'zero copy' : `copied: ${reason}`
      console.log(`${ok ? 'ok' : 'not ok'} - ${size} bytes to a ${destination} (${ok ? how : why})`)
    }
  } catch {
    console.log(`not ok - ${error?.message ?? ''} ${stdout}${stderr}`)
  }
  return status === 0
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runtimes)
const failed = wanted.filter((runtime) => !passes(runtime))
console.log(failed.length ? `\nfailed on ${failed.join(', ')}` : '\npassed everywhere')
process.exitCode = failed.length ? 1 : 0
