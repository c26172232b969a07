'use strict'

// Whether the crate compiles where the package copies: to nothing, as src/lib.rs says. npm run check:platforms
// Needs the targets' standard libraries (rustup target add); one that is not installed is a note.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

const TARGETS = ['aarch64-apple-darwin', 'x86_64-pc-windows-gnu']

function isInstalled (target) {
  const args = ['--print', 'target-libdir', '--target', target]
  const { stdout, error } = spawnSync('rustc', args, { cwd: root, encoding: 'utf8' })
  if (error) throw error
  return fs.existsSync(stdout.trim())
}

function compiles (target) {
  const args = ['check', '--locked', '--package', 'sendfile-native', '--target', target]
  const { status, error } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  return status === 0
}

for (const target of TARGETS) {
  if (!isInstalled(target)) {
    console.log(`note: ${target} is not installed: rustup target add ${target}`)
  } else if (compiles(target)) {
    console.log(`ok: ${target}`)
  } else {
    console.log(`not ok: ${target}`)
    process.exitCode = 1
  }
}
