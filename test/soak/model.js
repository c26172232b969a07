'use strict'

// What must come out. A stream of bytes is a list of parts: `{ text, length }`, bytes named by a word, and
// `{ name, from, length }`, a range of a file. Where the outcome is open, the part says how:
//   optional     it may be missing as a whole
//   mayCut       the connection may end in it
//   truncatedTo  set when the file was shortened: what lay behind may have become zeros, nothing else
// (The kernel wipes what it cuts off a page, also a page that is still on its way.)

const { contents, mismatch } = require('./contents')

/** The bytes of a part that is no file's. */
function textOf (part) {
  return part.json ? Buffer.from(part.json) : contents(part.text, 0, part.length)
}

class Expected {
  constructor (parts) {
    this.parts = parts
    this.bytes = 0
    /** Where the stream may be: usually one place; one more for each part that may be missing. */
    this.places = this.settled({ index: 0, offset: 0 })
  }

  /** The next byte, which is in a part, or the end: more than one of them where a part may be missing. */
  settled ({ index, offset }) {
    while (index < this.parts.length && offset === this.parts[index].length) {
      index++
      offset = 0
    }
    const places = [{ index, offset }]
    if (offset === 0 && this.parts[index]?.optional) places.push(...this.settled({ index: index + 1, offset: 0 }))
    return places
  }

  /** Checks what has come. */
  take (bytes) {
    this.places = this.followed(this.places, bytes)
    this.bytes += bytes.length
  }

  follow ({ index, offset }, bytes) {
    const part = this.parts[index]
    if (part === undefined) throw new Error(`${bytes.length} bytes more than expected: ${shown(bytes)}`)
    const piece = bytes.subarray(0, part.length - offset)
    check(part, offset, piece)
    const places = this.settled({ index, offset: offset + piece.length })
    if (piece.length === bytes.length) return places
    return this.followed(places, bytes.subarray(piece.length))
  }

  /** Places that cannot be are left out; if none can be, the first says why. */
  followed (places, bytes) {
    const errors = []
    const reached = places.flatMap((place) => {
      try {
        return this.follow(place, bytes)
      } catch (err) {
        errors.push(err)
        return []
      }
    })
    if (reached.length === 0) throw errors[0]
    return reached
  }

  /** Whether everything may have come. */
  get isComplete () {
    return this.places.some(({ index }) => index === this.parts.length)
  }

  /** Whether the connection may end here. */
  get mayEnd () {
    return this.isComplete || this.places.some((place) => this.mayEndAt(place))
  }

  /** In such a part, or in the bytes right behind it, which leave with it. */
  mayEndAt ({ index, offset }) {
    const { parts } = this
    if (parts[index].mayCut) return true
    if (parts[index].name && offset > 0) return false
    let before = index - 1
    while (before >= 0 && !parts[before].mayCut && (!parts[before].name || parts[before].length === 0)) before--
    return before >= 0 && parts[before].mayCut
  }

  /** Whether everything before this part has come. */
  hasPassed (part) {
    return this.places.every(({ index }) => index >= part)
  }

  /** How much of this part has come for certain. */
  progressOf (part) {
    return Math.min(...this.places.map(({ index, offset }) => index > part ? Infinity : index < part ? -1 : offset))
  }

  toString () {
    const [{ index, offset }] = this.places
    return `byte ${offset} of part ${index}, ${JSON.stringify(this.parts[index]) ?? 'the end'}`
  }
}

function check (part, offset, bytes) {
  if (part.name === undefined) {
    const expected = textOf(part).subarray(offset, offset + bytes.length)
    if (!expected.equals(bytes)) {
      throw new Error(`byte ${offset} of ${JSON.stringify(part)}: ${shown(bytes)} and not ${shown(expected)}`)
    }
    return
  }
  const from = part.from + offset
  const wrong = mismatch(part.name, from, bytes)
  if (wrong === -1) return
  for (let i = wrong; i < bytes.length; i++) {
    if (from + i >= part.truncatedTo && bytes[i] === 0) continue
    if (mismatch(part.name, from + i, bytes.subarray(i, i + 1)) === -1) continue
    throw new Error(`wrong byte at ${from + i} of ${part.name} (${offset + i} of ${JSON.stringify(part)}): ` +
      `${shown(bytes.subarray(i))} and not ${shown(contents(part.name, from + i, 16))}`)
  }
}

function shown (bytes) {
  return `${bytes.toString('hex', 0, 16)} ${JSON.stringify(bytes.toString('latin1', 0, 16))}`
}

/** The bytes of a range that a file of this size has: `start` and `end` as transferFile takes them. */
function rangeOf (size, start = 0, end = Infinity) {
  const from = Math.min(start, size)
  return { from, length: Math.max(Math.min(end + 1, size) - from, 0) }
}

module.exports = { Expected, rangeOf, textOf }
