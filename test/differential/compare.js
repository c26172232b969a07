'use strict'

// One program with two implementations. What depends on the time of day differs between two runs of the same
// implementation, too: the tested one may do whatever the reference does in one of many runs.

const { referenceFor, variants } = require('./reference')
const { comparable, omitted } = require('./rules')
const { run } = require('./run')

/** How often the reference is asked when nothing should depend on the time of day. */
const RUNS = 4

/**
 * @param {object} program
 * @param {{ name: string, createReadStream: Function, isOurs?: boolean }} tested
 * @param {import('./world').World} world
 * @param {() => boolean} isOver whether nobody wants to know any more
 * @returns {Promise<null | { expected: object[], got: object }>} the difference, if there is one
 */
async function compare (program, tested, world, isOver) {
  const key = (observation) => JSON.stringify(tested.isOurs ? comparable(observation, program) : observation)
  const expected = new Map()
  let got
  const runs = program.isCut ? 6 * variants.length : RUNS
  for (let index = 0; index < runs && !isOver(); index++) {
    const observation = await run(program, referenceFor(program, index), world)
    if (observation.problems) return { expected: ['a reference without problems'], got: observation }
    expected.set(key(observation), observation)
    got ??= await run(program, tested, world)
    const problem = tested.isOurs && omitted(got, program)
    if (problem) got.problems = [problem, ...(got.problems ?? [])]
    if (got.problems) break
    if (expected.has(key(got))) return null
    // What is the same on every disk does not depend on the time of day.
    if (expected.size === 1 && index === variants.length) break
  }
  return { expected: [...expected.values()], got }
}

module.exports = { compare }
