'use strict'

// Numbers that look random and come again with the same seed.

/** Mixes numbers to one of 32 bits. */
function mixed (...numbers) {
  let hash = 0x9e3779b9
  for (const number of numbers) {
    hash = Math.imul(hash ^ number, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash >>> 0
}

class Random {
  constructor (seed) {
    this.state = seed >>> 0
  }

  /** Between 0 and 1: mulberry32. */
  next () {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000
  }

  /** An integer, both ends included. */
  between (least, most) {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  chance (probability) {
    return this.next() < probability
  }

  pick (list) {
    return list[this.between(0, list.length - 1)]
  }

  /** As many small ones as large ones: each power of two is as likely. */
  size (most) {
    return Math.floor(2 ** (this.next() * Math.log2(most + 1))) - 1
  }
}

module.exports = { Random, mixed }
