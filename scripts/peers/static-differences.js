'use strict'

// The tests of others that end otherwise when serveStatic is in the place of serve-static. Each fails, for the reason
// that docs/compatibility.md gives; any other that differs, and any of these that does not, is a fault.

const titles = { 'serve-static': 'serveStatic()', express: 'express.static()' }

/** serve-static 1 sends by send 0.x. */
const isOld = ({ name, version }) => version.startsWith(name === 'express' ? '4.' : '1.')

const list = [
  { test: 'basic operations should require root path' },
  { test: 'basic operations should require root path to be string' },
  { test: 'basic operations should set Content-Type', when: isOld },
  { test: 'fallthrough when false should 404 when URL too long', when: (suite, { off }) => off }
]

/**
 * @param {object} suite as `suiteOf` says
 * @param {{ off: boolean }} way whether nothing is native
 * @returns {string[]} names of tests
 */
function expectedToFail (suite, way) {
  return list.filter(({ when }) => when === undefined || when(suite, way))
    .map(({ test }) => `${titles[suite.name]} ${test}`)
}

module.exports = { expectedToFail }
