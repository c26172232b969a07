'use strict'

// Where the scheduler puts a client that never pauses, decides how fast its server is: by a factor of three on two
// cores. So clients have a place: the last CPU. Servers may use any.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')

/** The last CPU that this process may use; null where there is only one, or taskset(1) is missing. */
function lastCpu () {
  if (spawnSync('taskset', ['--version']).error) return null
  const [, list] = /^Cpus_allowed_list:\s*(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8')) ?? []
  const cpus = list?.match(/\d+/g) ?? []
  return cpus.length > 1 ? cpus[cpus.length - 1] : null
}

const cpu = lastCpu()

/** A command that runs there: `[file, args]`. */
function onLastCpu (file, args) {
  return cpu === null ? [file, args] : ['taskset', ['-c', cpu, file, ...args]]
}

module.exports = { cpu, onLastCpu }
