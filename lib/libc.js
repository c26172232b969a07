'use strict'

// Which libc this process runs on. What else the machine has tells nothing, and to try is no way: musl takes itself for
// the libraries that an addon for glibc names, and may load what then calls it wrongly.

const fs = require('node:fs')

/** glibc as it is mapped into a process; before 2.34 under the name of its version. */
const GLIBC = /\/libc(?:\.so\.6|-2\.[\d.]+\.so)\b/

/** @returns {'gnu' | 'musl'} as Rust names them */
function libc () {
  try {
    return GLIBC.test(fs.readFileSync('/proc/self/maps', 'latin1')) ? 'gnu' : 'musl'
  } catch { // no /proc, or the permission model
    return libcOfReport()
  }
}

/** As exact, but it waits for every worker, and for a name server where Node cannot leave connections out. */
function libcOfReport () {
  const { report } = process
  if (typeof report?.getReport !== 'function') return 'gnu'
  const leavesOut = report.excludeNetwork === false // undefined before Node 20
  if (leavesOut) report.excludeNetwork = true
  try {
    return report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'
  } finally {
    if (leavesOut) report.excludeNetwork = false
  }
}

module.exports = { libc }
