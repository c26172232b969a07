'use strict'

// The tests in Rust, built with a sanitizer: whatever it reports fails them.

const { spawn } = require('node:child_process')
const { hasRuntime, hasStdSources, kinds, root } = require('./builds')

const suites = {
  address: {
    title: 'the Rust suite under AddressSanitizer and LeakSanitizer',
    missing: () => !hasRuntime('asan') && 'rustc has no AddressSanitizer here'
  },
  thread: {
    title: 'the Rust suite under ThreadSanitizer',
    missing: () => (!hasRuntime('tsan') && 'rustc has no ThreadSanitizer here') ||
      (!hasStdSources() && 'the sources of std are missing: rustup component add rust-src')
  }
}

/** @returns {Promise<{ passed: number, failure: string | null }>} */
async function runSuite (kind) {
  const { args, env } = kinds[kind]
  const child = spawn('cargo', ['test', '--locked', '--quiet', ...args], {
    cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 1_800_000
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { said += text })
  const code = await new Promise((resolve) => child.once('close', resolve))
  const passed = Number(/^test result: ok\. (\d+) passed/m.exec(said)?.[1] ?? 0)
  return { passed, failure: code === 0 && passed > 0 ? null : said.slice(-4000) }
}

module.exports = { runSuite, suites }
