'use strict'

// Some of the random programs of `npm run test:differential`, and that the comparison finds what it is there to find.
// In processes of their own: what nobody catches belongs to a program there, and not to a test.

const assert = require('node:assert/strict')
const path = require('node:path')
const { broken } = require('./differential/broken')
const { run, test } = require('./helpers')

const folder = path.join(__dirname, 'differential')

/** What differs by the time of day, and so also between two streams of fs, is the same in one of a few more runs. */
const AGAIN = 4

async function alwaysDiffers (program) {
  for (let i = 0; i < AGAIN; i++) {
    const { code } = await run(['--expose-gc', folder, '--only', program])
    if (code === 0) return false
  }
  return true
}

test('random programs find no difference between a stream of ours and one of fs', async () => {
  const { code, stdout, stderr } = await run(['--expose-gc', folder, '--programs', '250', '--seed', '2010'])
  const programs = [...stdout.matchAll(/^DIFFERENCE --only (\d+)$/gm)].map(([, program]) => program)
  if (programs.length === 0) assert.equal(code, 0, stdout + stderr)
  for (const program of programs) assert.equal(await alwaysDiffers(program), false, stdout + stderr)
})

test('random programs find every mistake that is made on purpose', async () => {
  const { code, stdout } = await run([path.join(folder, 'mistakes.js')])
  assert.equal(code, 0)
  assert.deepEqual(stdout.trim().split('\n'), broken.map(({ name }) => `found: a stream that ${name}`))
})
