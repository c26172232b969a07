'use strict'

// wrk (https://github.com/wg/wrk) as a client, where it is installed.

const { execFile, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { onLastCpu } = require('./last-cpu')

/** What it says in the end, for a program to read. */
const REPORT = `done = function (summary)
  io.write(string.format('\\n%d %d %d %d\\n', summary.requests, summary.bytes, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status))
end
`

function isInstalled () {
  return !spawnSync('wrk', ['--version']).error
}

/** Asks for one file as fast as it can; `folder` keeps its script. */
async function ask ({ port, path: name, connections, seconds, folder }) {
  const script = path.join(folder, 'report.lua')
  fs.writeFileSync(script, REPORT)
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '60s', '-s', script]
  const { stdout } = await promisify(execFile)(...onLastCpu('wrk', [...args, `http://127.0.0.1:${port}${name}`]))
  const [requests, bytes, microseconds, errors] = stdout.trim().split('\n').pop().split(' ').map(Number)
  if (errors) throw new Error(`${errors} requests failed`)
  return { requests, bytes, seconds: microseconds / 1e6 }
}

module.exports = { ask, isInstalled }
