'use strict'

// The Rust programs of this folder.

const { execFileSync } = require('node:child_process')
const path = require('node:path')
const { root } = require('./program')

function build () {
  const packages = ['bench-load', 'bench-floor'].flatMap((name) => ['-p', name])
  execFileSync('cargo', ['build', '--quiet', '--release', '--locked', ...packages], { cwd: root, stdio: ['ignore', 2, 2] })
}

function binary (name) {
  return path.join(root, 'target', 'release', name)
}

module.exports = { binary, build }
