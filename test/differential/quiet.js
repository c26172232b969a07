'use strict'

// When nothing happens any more. A program of streams may stop for good without telling: then no event says that
// it is over, and it has to be seen that nothing is on its way.

const fs = require('node:fs')
const { turns } = require('../helpers')

/** What was given to the threads of libuv before has come back: as many calls as it has threads. */
async function poolFlushed () {
  await Promise.all([1, 2, 3, 4].map(() => fs.promises.stat('/')))
}

/** The kernel delays an acknowledgement by 40 ms; everything else that we wait for takes less. */
const ROUND_MS = 10
const ROUNDS = 8
/** Unless something is on its way: a window that was closed may open late. */
const ROUNDS_IN_FLIGHT = 40

/** Until all is over, or nothing has happened for a while: whether all is over. */
async function untilQuiet (run, isOver) {
  for (let rounds = 0, last = run.progress; rounds < (run.isInFlight ? ROUNDS_IN_FLIGHT : ROUNDS); rounds++) {
    if (isOver()) {
      // What still comes behind the last event comes in these turns.
      await turns(2)
      await poolFlushed()
      await turns(1)
      if (isOver()) return true
    }
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS))
    await poolFlushed()
    await turns(2)
    const { progress } = run
    if (progress !== last || run.isBusy) rounds = -1
    last = progress
  }
  return isOver()
}

module.exports = { untilQuiet }
