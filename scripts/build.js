'use strict'

// Builds the addon for this machine: `sendfile-native.<platform>-<arch>-<libc>.node` beside index.js.

const { spawnSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..')

if (spawnSync('cargo', ['--version']).status !== 0) {
  console.error('sendfile-native: building from source needs Rust: install cargo (https://rustup.rs, or your distribution\'s package) and a C linker, then run npm install again.')
  process.exit(1)
}

const args = ['build', '--platform', '--release', '--no-js', '--dts', 'target/addon.d.ts', '--', '--locked']
const { status, error } = spawnSync('napi', args, { cwd: root, stdio: 'inherit' })
if (error) {
  console.error(`sendfile-native: ${error.message}: building needs the development dependencies: run npm install without --omit=dev.`)
}
process.exit(status ?? 1)
