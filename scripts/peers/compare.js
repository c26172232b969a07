'use strict'

// What became of the tests in two or more runs of a suite.

const state = ({ tests }, name) => tests.get(name) ?? 'not run'

/**
 * The tests that ended otherwise, and those that were to end otherwise and did not.
 * @param {{ tests: Map<string, string> }[]} without one run, or several: what varies among them says nothing
 * @param {{ tests: Map<string, string> }} having
 * @param {string[]} expected the tests that pass without, and fail with
 */
function differences (without, having, expected) {
  const names = new Set([...without, having].flatMap(({ tests }) => [...tests.keys()]))
  for (const name of expected) names.add(name)
  return [...names].filter((name) => {
    const states = new Set(without.map((run) => state(run, name)))
    const is = state(having, name)
    if (expected.includes(name)) return !states.has('passed') || is !== 'failed'
    // The exit code of mocha is the number of tests that failed.
    if (name === 'exit' && expected.length > 0) return !states.has(String(is - expected.length))
    return states.size === 1 && !states.has(is)
  }).map((name) => {
    const hint = expected.includes(name) ? ', and was to fail with' : ''
    return `${name}: ${state(without[0], name)} without, ${state(having, name)} with${hint}`
  })
}

function counts ({ tests, code }) {
  const count = (state) => [...tests.values()].filter((other) => other === state).length
  const text = `${count('passed')} / ${count('failed')} / ${count('skipped')}`
  return typeof code === 'string' ? `${text} (${code})` : text
}

/** Whether there is nothing but the exit. */
function isEmpty ({ tests }) {
  return tests.size <= 1
}

function failures ({ tests }) {
  return [...tests].filter(([, state]) => state === 'failed').map(([name]) => name)
}

module.exports = { counts, differences, failures, isEmpty }
