'use strict'

// The Rust programs of this folder.

const { execFileSync } = require('node:child_process')
const path = require('node:path')
const { root } = require('./program')

/** `debug`: as `npm run test:js` has built them, which is no way to measure. */
const profile = process.env.SENDFILE_NATIVE_BENCH_PROFILE ?? 'release'

function build () {
  if (profile !== 'release') return
  const packages = ['bench-load', 'bench-floor'].flatMap((name) => ['-p', name])
  execFileSync('cargo', ['build', '--quiet', '--release', '--locked', ...packages], { cwd: root, stdio: ['ignore', 2, 2] })
}

function binary (name) {
  return path.join(root, 'target', profile, name)
}

module.exports = { binary, build }
