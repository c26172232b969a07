'use strict'

// Names as people sort them: without regard to case and accents, and numbers in them by their value.

const SLICE = 4096

/** A text that sorts by code units as its name should. */
function sortingKey (name) {
  return name.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase().replace(/\d+/g, (digits) => {
    const number = digits.replace(/^0+(?=\d)/, '')
    // Longer numbers are larger ones: their length goes before them, in nines and a rest.
    return '9'.repeat(Math.floor(number.length / 9)) + number.length % 9 + number
  })
}

/**
 * Merge sort that lets others have a turn now and then: a hundred thousand entries take longer than they should wait.
 * @template T
 * @param {T[]} items
 * @param {(a: T, b: T) => number} compare
 * @returns {Promise<T[]>}
 */
async function sortInTurns (items, compare) {
  let runs = []
  for (let start = 0; start < items.length; start += SLICE) {
    runs.push(items.slice(start, start + SLICE).sort(compare))
    await turn()
  }
  while (runs.length > 1) {
    const merged = []
    for (let i = 0; i < runs.length; i += 2) {
      merged.push(i + 1 < runs.length ? await merge(runs[i], runs[i + 1], compare) : runs[i])
    }
    runs = merged
  }
  return runs[0] ?? []
}

async function merge (left, right, compare) {
  const merged = []
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    const takesLeft = r === right.length || (l < left.length && compare(left[l], right[r]) <= 0)
    merged.push(takesLeft ? left[l++] : right[r++])
    if (merged.length % (4 * SLICE) === 0) await turn()
  }
  return merged
}

function turn () {
  return new Promise((resolve) => setImmediate(resolve))
}

module.exports = { sortInTurns, sortingKey }
