'use strict'

// A reporter for any version of mocha: a line of JSON for each test, in the file that PEERS_RESULTS names.

const fs = require('node:fs')

const states = { pass: 'passed', fail: 'failed', pending: 'skipped' }

module.exports = function (runner) {
  for (const [event, state] of Object.entries(states)) {
    runner.on(event, (test) => {
      fs.appendFileSync(process.env.PEERS_RESULTS, `${JSON.stringify([test.fullTitle(), state])}\n`)
    })
  }
}
