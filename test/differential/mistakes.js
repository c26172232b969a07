'use strict'

// Prints each mistake of broken.js that random programs find: all of them, if the comparison is any good.

const { mixed } = require('../soak/random')
const { broken } = require('./broken')
const { check } = require('./check')

const PROGRAMS = 1000
/** Few, because most are found soon. */
const AT_ONCE = 12

async function main () {
  const seeds = Array.from({ length: PROGRAMS }, (_, index) => mixed(8, index))
  for (const mistaken of broken) {
    let isFound = false
    await check(seeds, mistaken, () => (isFound = true), AT_ONCE)
    console.log(`${isFound ? 'found' : 'not found'}: a stream that ${mistaken.name}`)
  }
  // A stream that leaks a FileHandle leaves it to the garbage collector.
  process.exit()
}

main()
