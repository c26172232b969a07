'use strict'

// Some of the random programs of `npm run test:differential`, and that the comparison finds what it is there to find.
// In processes of their own: what nobody catches belongs to a program there, and not to a test.

const assert = require('node:assert/strict')
const path = require('node:path')
const { broken } = require('./differential/broken')
const { run, test } = require('./helpers')

const folder = path.join(__dirname, 'differential')

test('random programs find no difference between a stream of ours and one of fs', async () => {
  const { code, stdout, stderr } = await run(['--expose-gc', folder, '--programs', '250', '--seed', '2010'])
  assert.equal(code, 0, stdout + stderr)
})

test('random programs find every mistake that is made on purpose', async () => {
  const { code, stdout } = await run([path.join(folder, 'mistakes.js')])
  assert.equal(code, 0)
  assert.deepEqual(stdout.trim().split('\n'), broken.map(({ name }) => `found: a stream that ${name}`))
})
