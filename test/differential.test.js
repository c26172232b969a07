'use strict'

// Random programs on our createReadStream and on that of fs: some of those of `npm run test:differential`, and that
// the comparison finds what it is there to find.

const assert = require('node:assert/strict')
const { inspect } = require('node:util')
const { broken } = require('./differential/broken')
const { check } = require('./differential/check')
const { ours } = require('./differential/ours')
const { reference } = require('./differential/reference')
const { test } = require('./helpers')
const { mixed } = require('./soak/random')

function seeds (count, of) {
  return Array.from({ length: count }, (_, index) => mixed(of, index))
}

function described ({ seed, expected, got }) {
  const shown = (value) => inspect(value, { depth: 9, breakLength: 120 })
  return `npm run test:differential -- --only ${seed}\nfs: ${shown(expected[0])}\n${ours.name}: ${shown(got)}`
}

for (const [tested, count] of [[ours, 300], [reference, 100]]) {
  test(`random programs find no difference between the streams of fs and of ${tested.name}`, async () => {
    const differences = []
    await check(seeds(count, 2010), tested, (difference) => { differences.push(described(difference)) })
    assert.deepEqual(differences, [])
  })
}

for (const mistaken of broken) {
  test(`random programs find a stream that ${mistaken.name}`, async () => {
    let isFound = false
    await check(seeds(2000, 7), mistaken, () => (isFound = true))
    assert.ok(isFound)
  })
}
