'use strict'

// strace(1) makes the system calls of a running process fail, and tells how many it did that to.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const { until } = require('../helpers')

/**
 * From now on, until `stop()`, which takes a call and an errno, and resolves with how often
 * that was struck.
 * @param {string[]} rules such as `sendfile:error=EIO:when=3`, counted in each thread
 * @param {object} how `log`, a file; `threads`, by their ids, to strike only these; `paths`, to strike only calls on
 *   these files
 */
async function strike (pid, rules, { log, threads = null, paths = [] }) {
  const calls = [...new Set(rules.flatMap((rule) => rule.split(':')[0].split(',')))]
  const targets = threads === null ? ['-f', '-p', String(pid)] : threads.flatMap((id) => ['-p', String(id)])
  const child = spawn('strace', [
    '-o', log, '-s', '0', ...paths.flatMap((path) => ['-P', path]), '-e', `trace=${calls.join()}`, '-e', 'signal=none',
    ...rules.flatMap((rule) => ['-e', `inject=${rule}`]), ...targets
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = once(child, 'close')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text })
  const wanted = threads?.length ?? 1
  await until(() => {
    if (child.exitCode !== null) throw new Error(`strace: ${said}`)
    return said.split(' attached').length > wanted
  })
  return async (call, errno) => {
    child.kill('SIGINT') // detaches
    await closed
    const struck = new RegExp(`\\b(?:${call.replaceAll(',', '|')})\\b.* = -1 ${errno} .*\\(INJECTED\\)`)
    return fs.readFileSync(log, 'latin1').split('\n').filter((line) => struck.test(line)).length
  }
}

module.exports = { strike }
