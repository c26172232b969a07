'use strict'

// Many programs, some at a time.

const { compare } = require('./compare')
const { programOf } = require('./program')
const { onUncaught } = require('./run')
const { World } = require('./world')

const AT_ONCE = 32

/**
 * @param {Iterable<number>} seeds one for each program
 * @param {object} tested
 * @param {(difference: { seed: number, program: object, expected: object[], got: object }) => boolean | void} found
 *   true: no more
 * @param {number} [atOnce]
 */
async function check (seeds, tested, found, atOnce = AT_ONCE) {
  const world = new World()
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
  await world.open()
  let isOver = false
  const iterator = seeds[Symbol.iterator]()
  const work = async () => {
    for (let next; !isOver && !(next = iterator.next()).done;) {
      const seed = next.value
      const program = programOf(seed)
      const difference = await compare(program, tested, world, () => isOver)
      if (difference && !isOver) isOver = found({ seed, program, ...difference }) === true
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, work))
  } finally {
    process.off('uncaughtException', onUncaught)
    process.off('unhandledRejection', onUncaught)
    await world.close()
  }
}

module.exports = { check }
