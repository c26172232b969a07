'use strict'

const WINDOW_MS = 3000

/** How fast a count has grown lately. */
class RateMeter {
  samples = []

  /**
   * @param {number} count
   * @param {number} now in milliseconds
   * @returns {number} a second
   */
  sample (count, now) {
    const { samples } = this
    samples.push({ count, now })
    while (samples.length > 2 && samples[1].now <= now - WINDOW_MS) samples.shift()
    const elapsed = now - samples[0].now
    return elapsed > 0 ? (count - samples[0].count) / elapsed * 1000 : 0
  }
}

module.exports = { RateMeter }
