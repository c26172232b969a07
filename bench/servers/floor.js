'use strict'

const { binary } = require('../lib/rust')
const { start } = require('../lib/program')

module.exports = {
  title: 'the floor (Rust)',
  missing: () => '',
  start: (folder) => start(binary('bench-floor'), [folder])
}
