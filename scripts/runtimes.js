'use strict'

// Other runtimes: their binaries are npm packages, kept under node_modules/.cache.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

// Both publish for glibc; Deno calls it so.
const packages = {
  bun: { name: `@oven/bun-linux-${process.arch === 'x64' ? 'x64' : 'aarch64'}`, binary: 'bin/bun' },
  deno: { name: `@deno/linux-${process.arch}-glibc`, binary: 'deno' }
}

/** The path of a runtime's binary, which is installed if it is not there. */
function install (runtime) {
  const { name, binary } = packages[runtime]
  const prefix = path.join(root, 'node_modules', '.cache', 'runtimes')
  const folder = path.join(prefix, 'node_modules', name)
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(prefix, { recursive: true })
    if (!fs.existsSync(path.join(prefix, 'package.json'))) fs.writeFileSync(path.join(prefix, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', name]
    const { status } = spawnSync('npm', args, { cwd: prefix, stdio: ['ignore', 2, 2] })
    if (status !== 0) throw new Error(`${name} could not be installed`)
  }
  const file = path.join(folder, binary)
  fs.chmodSync(file, 0o755)
  return file
}

module.exports = { install }
