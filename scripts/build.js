'use strict'

// Builds the addon for this machine: `sendfile-native.<platform>-<arch>-<libc>.node` beside index.js.

const { spawnSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..')

const RUST = [1, 88] // as rust-version in Cargo.toml

const { stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8' })
const [, major, minor] = /^cargo (\d+)\.(\d+)/.exec(stdout ?? '') ?? []
if (!(Number(major) > RUST[0] || (Number(major) === RUST[0] && Number(minor) >= RUST[1]))) {
  const found = major === undefined ? 'there is no cargo' : `this is cargo ${major}.${minor}`
  console.error(`sendfile-native: building from source needs Rust ${RUST.join('.')} or later (https://rustup.rs) and a C linker, and ${found}: install them, then run npm install again.`)
  process.exit(1)
}

const args = ['build', '--platform', '--release', '--no-js', '--dts', 'target/addon.d.ts', '--', '--locked']
const { status, error } = spawnSync('napi', args, { cwd: root, stdio: 'inherit' })
if (error) {
  console.error(`sendfile-native: ${error.message}: building needs the development dependencies: run npm install without --omit=dev.`)
}
process.exit(status ?? 1)
