'use strict'

// Which bytes a program has to deliver, and whether what has arrived is how they begin.

const { contents } = require('../soak/contents')
const { MARKER, PREFACE, TAIL } = require('./program')

/** The file that follows in the same destination. */
const SECOND = { name: 'second', size: 5000 }
/** As large as a file of a program can become. */
const LARGEST = 17_500_000

const RESPONSE = Buffer.from('HTTP/1.1 200 OK\r\n')
const DESYNCHRONISED = 'a part, and of the next response'
const NOTHING = Buffer.alloc(0)
const files = new Map()

/** The first bytes of a file: what is in it depends on its name alone. */
function bytesOf (name, size) {
  if (!files.has(name)) files.set(name, contents(name, 0, name === SECOND.name ? SECOND.size : LARGEST))
  return files.get(name).subarray(0, size)
}

/** From where to where (exclusively) a source reads, in a file of this size. */
function rangeOf ({ file, source: { skip, shortened = file.size, options: { start, end = Infinity } } }, size) {
  const opened = Math.min(file.size, shortened)
  const from = start ?? Math.min(skip ?? 0, opened)
  // Without a start, the end counts from where the descriptor stands.
  const to = start === undefined ? from + end + 1 : end + 1
  return [Math.min(from, size), Math.max(Math.min(from, size), Math.min(to, size))]
}

class Expected {
  constructor (program) {
    const { consumer, file, source, interruptions } = program
    const grown = interruptions.find(({ what }) => what === 'grow')
    const promised = this.part(program, file.size)
    const size = Math.min(LARGEST, (source.shortened ?? file.size) + (grown?.by ?? 0))
    this.content = encoded(this.part(program, size), source.options.encoding)
    this.before = Buffer.from(`${consumer.preface ? PREFACE : ''}${consumer.kind === 'unshift' && !consumer.breaks ? PREFACE : ''}`)
    this.after = NOTHING
    if (consumer.kind === 'byHand' && consumer.tail) this.after = Buffer.from(TAIL)
    if (consumer.kind === 'concat') this.after = bytesOf(SECOND.name, SECOND.size)
    this.encoding = source.options.encoding
    this.isMarked = interruptions.some(({ what }) => what === 'write')
    this.mayBeDesynchronised = program.isCut || source.shortened !== undefined ||
      ['missing', 'directory', 'closedFd'].includes(source.from)
    this.mayBeShort = interruptions.some(({ what }) => ['truncate', 'grow', 'endDestination'].includes(what))
    /** From where on a file that was truncated may be zeros: what is handed over are its pages, and no copy of them. */
    const cut = interruptions.find(({ what }) => what === 'truncate')
    const [from] = rangeOf(program, file.size)
    this.zerosFrom = cut ? this.before.length + Math.max(0, cut.to - from) : Infinity
    this.isLateHex = consumer.kind === 'lateEncoding' && source.options.encoding === undefined
    /** What a response or an upload says that its length is. */
    this.promised = this.before.length + encoded(promised, source.options.encoding).length + this.after.length
  }

  part (program, size) {
    return bytesOf('file', size).subarray(...rangeOf(program, size))
  }

  /**
   * What a destination got, when `taken` bytes had been read by somebody else before.
   * @returns {{ extent: string, count: number, wrong?: string }} `count` without what was written between
   */
  ofDestination (bytes, taken = 0) {
    if (this.isMarked) bytes = this.unmarked(bytes)
    const judged = { count: bytes.length, ...this.ofWhole(bytes, taken) }
    if (!judged.wrong || !this.mayBeDesynchronised) return judged
    // A response that is shorter than was promised: its client takes the next one for the rest.
    for (const at of endsAtResponse(bytes)) {
      const { wrong } = this.ofWhole(bytes.subarray(0, at), taken)
      if (!wrong) return { ...judged, extent: DESYNCHRONISED, wrong }
    }
    return judged
  }

  ofWhole (bytes, taken) {
    const whole = Buffer.concat([this.before, this.content.subarray(taken), this.after])
    const same = common(bytes, whole)
    if (same === whole.length && same === bytes.length) return { extent: same === 0 ? 'nothing' : 'all' }
    const extent = bytes.length === 0 ? 'nothing' : 'a part'
    if (same === bytes.length) return { extent }
    if (this.isLateHex) return this.ofLateHex(bytes)
    if (this.isZeroed(bytes, whole, Math.max(0, this.zerosFrom - taken))) return { extent }
    if (this.mayBeShort && this.endsEarly(bytes, same)) return { extent }
    return { extent, wrong: `${bytes.length} bytes, different from byte ${same} of ${whole.length}` }
  }

  /** Whether what is different is zeros where the file was. */
  isZeroed (bytes, whole, from) {
    const zeroed = Buffer.from(whole)
    const end = whole.length - this.after.length
    for (let at = from; at < end; at++) if (bytes[at] === 0) zeroed[at] = 0
    return common(bytes, zeroed) === bytes.length
  }

  /** What somebody got who began in the middle. */
  ofLate (bytes, isComplete) {
    if (bytes.length === 0) return { extent: 'nothing' }
    const { content } = this
    const isAt = (at) => at >= 0 && content.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0
    if (isAt(content.length - bytes.length)) return { extent: 'the rest' }
    if (isComplete) return { extent: 'a part', wrong: `${bytes.length} bytes that are not the last ones` }
    const beginning = bytes.subarray(0, 64)
    for (let at = content.indexOf(beginning); at !== -1; at = content.indexOf(beginning, at + 1)) {
      if (isAt(at)) return { extent: 'a part' }
    }
    return { extent: 'a part', wrong: `${bytes.length} bytes that are nowhere in the file` }
  }

  /** How the file begins. */
  ofReader (bytes) {
    const same = common(bytes, this.content)
    const extent = same === 0 ? 'nothing' : same === this.content.length ? 'all' : 'a part'
    return same === bytes.length ? { extent } : { extent, wrong: `${bytes.length} bytes, different from byte ${same}` }
  }

  unmarked (bytes) {
    const at = bytes.indexOf(MARKER)
    if (at !== -1) return this.unmarked(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + MARKER.length)]))
    // It may have come in part only.
    for (let length = MARKER.length - 1; length > 0; length--) {
      const end = bytes.subarray(bytes.length - length).toString('latin1')
      if (end.length === length && MARKER.startsWith(end)) return bytes.subarray(0, bytes.length - length)
    }
    return bytes
  }

  /** Bytes as they are, and from some byte on as hexadecimal digits. */
  ofLateHex (bytes) {
    const { before, content, after } = this
    const total = before.length + 2 * content.length + after.length
    const raw = total - bytes.length
    const digits = Buffer.from(content.subarray(Math.max(0, raw)).toString('hex'))
    const whole = Buffer.concat([before, content.subarray(0, Math.max(0, raw)), digits, after])
    if (bytes.equals(whole)) return { extent: 'all' }
    // Cut off: from where on is not known, so each place where both fit is tried.
    const same = common(bytes, Buffer.concat([before, content]))
    for (let at = same; at >= Math.max(0, same - 64); at--) {
      const rest = bytes.subarray(at)
      const hex = Buffer.from(content.subarray(at - before.length, at - before.length + rest.length).toString('hex'))
      if (rest.length <= hex.length && common(rest, hex) === rest.length) return { extent: 'a part' }
    }
    return { extent: 'a part', wrong: `${bytes.length} bytes, different from byte ${same}` }
  }

  /** Fewer bytes of the file, and what comes after. */
  endsEarly (bytes, same) {
    if (this.encoding === 'base64' && bytes.length - same <= 4) return true
    for (let at = same; at >= Math.max(0, same - 16); at--) {
      const rest = bytes.subarray(at)
      if (rest.length <= this.after.length && common(rest, this.after) === rest.length) return true
    }
    return false
  }
}

function encoded (bytes, encoding) {
  return encoding ? Buffer.from(bytes.toString(encoding)) : bytes
}

/** Where a response may begin in these bytes, of which the last ones may be a part of its beginning only. */
function endsAtResponse (bytes) {
  const at = bytes.indexOf(RESPONSE)
  if (at !== -1) return [at]
  const lengths = Array.from({ length: Math.min(bytes.length, RESPONSE.length - 1) }, (_, index) => index + 1)
  const isBeginning = (length) => bytes.subarray(bytes.length - length).equals(RESPONSE.subarray(0, length))
  return lengths.filter(isBeginning).map((length) => bytes.length - length)
}

/** How many bytes at the beginning are the same. */
function common (a, b) {
  const length = Math.min(a.length, b.length)
  if (a.compare(b, 0, length, 0, length) === 0) return length
  let [low, high] = [0, length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (a.compare(b, low, middle, low, middle) === 0) low = middle
    else high = middle
  }
  return low
}

module.exports = { DESYNCHRONISED, Expected, LARGEST, SECOND, bytesOf }
