'use strict'

// Sends files under Bun and Deno, with the addon as it is built: npm run test:runtimes

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { install } = require('./runtimes')

const root = path.join(__dirname, '..')
const FIXTURE = path.join(root, 'test', 'fixtures', 'runtime.js')
const TOO_LONG_MS = 120_000

const runtimes = {
  node: () => [process.execPath],
  bun: () => [install('bun')],
  deno: () => [install('deno'), 'run', '--allow-all']
}

/** Runs the fixture there, and prints what it reports. */
function passes (runtime) {
  const [file, ...args] = runtimes[runtime]()
  const { status, stdout, stderr, error } = spawnSync(file, [...args, FIXTURE], {
    cwd: root, encoding: 'utf8', timeout: TOO_LONG_MS, env: { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }
  })
  console.log(`\n# ${runtime}`)
  try {
    const { version, native, sent } = JSON.parse(stdout)
    console.log(`${JSON.stringify(version)}, ${native ? 'natively' : 'by copying'}`)
    for (const { destination, size, ok, zeroCopy, reason, why } of sent) {
      const how = zeroCopy ? 'zero copy' : `copied: ${reason}`
      console.log(`${ok ? 'ok' : 'not ok'} - ${size} bytes to a ${destination} (${ok ? how : why})`)
    }
  } catch {
    console.log(`not ok - ${error?.message ?? ''} ${stdout}${stderr}`)
  }
  return status === 0
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runtimes)
const failed = wanted.filter((runtime) => !passes(runtime))
console.log(failed.length ? `\nfailed on ${failed.join(', ')}` : '\npassed everywhere')
process.exitCode = failed.length ? 1 : 0
