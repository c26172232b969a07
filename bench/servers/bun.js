'use strict'

// Bun, from the PATH or else from npm.

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { install } = require('../../scripts/runtimes')
const { start } = require('../lib/program')

const program = path.join(__dirname, '..', 'lib', 'bun-program.js')

let binary

module.exports = {
  title: 'Bun, `Bun.file(path)`',
  missing () {
    try {
      binary ??= spawnSync('bun', ['--version']).error ? install('bun') : 'bun'
      return ''
    } catch (err) {
      return err.message
    }
  },
  version: () => spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim(),
  start: (folder) => start(binary, [program, folder])
}
