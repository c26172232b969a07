'use strict'

// A reporter for node --test: a line of JSON for each test. What the tests' processes write to stderr is passed on.

const path = require('node:path')

function state (type, { skip, todo }) {
  if (skip !== undefined || todo !== undefined) return 'skipped'
  return type === 'test:pass' ? 'passed' : 'failed'
}

module.exports = async function* (source) {
  for await (const { type, data } of source) {
    if (type === 'test:stderr') process.stderr.write(data.message)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite') continue
    const file = data.file ? path.basename(data.file) : ''
    yield `${JSON.stringify([`${file}: ${data.name} (${data.nesting})`, state(type, data)])}\n`
  }
}
