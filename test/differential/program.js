'use strict'

// A program: a file, how it is opened as a stream, who consumes it, where it goes, and what happens meanwhile. All
// of it is decided from its seed, and is plain data.

const { Random, mixed } = require('../soak/random')

/** Where code has its limits: pages, the pieces of a ReadStream and of copying, what fits into a socket. */
const SIZES = [
  0, 1, 2, 100, 4095, 4096, 4097, 10_000, 65_535, 65_536, 65_537, 100_000, 131_072, 262_144, 300_001,
  1 << 20, (1 << 20) + 1, 3_000_000, 9_000_000
]
/** Where one region ends, and another begins. */
const REGIONS = [1, 2].flatMap((count) => [-1, 0, 1, 4096].map((more) => count * (8 << 20) + more))

/** Bytes that no file holds, and that are written between those of the file. */
const MARKER = '<<<<between>>>>'
/** Bytes before those of the file. */
const PREFACE = 'what comes first;'
/** Bytes after those of the file. */
const TAIL = ';what comes last'

/** What ends a program early: how far it came by then depends on the time of day. */
const CUTS = [
  'destroy', 'destroyWithError', 'close', 'destroyDestination', 'destroyDestinationWithError', 'leave', 'reset', 'abort',
  'endDestination', 'unpipe', 'unpipeAll', 'pause', 'truncate', 'grow', 'readable'
]

/** @param {number} seed */
function programOf (seed) {
  const random = new Random(mixed(seed, 0xd1ff))
  random.weighted = (table) => {
    const sum = Object.values(table).reduce((a, b) => a + b, 0)
    let lot = random.next() * sum
    for (const [name, weight] of Object.entries(table)) if ((lot -= weight) < 0) return name
    return Object.keys(table)[0]
  }
  return { seed, ...new Generator(random).program() }
}

class Generator {
  constructor (random) {
    this.random = random
  }

  program () {
    const { random } = this
    const consumer = { kind: this.consumerKind(), ...this.details() }
    const isPiped = !['data', 'readable', 'iterate', 'web', 'resume'].includes(consumer.kind)
    const source = this.source(consumer)
    const file = { size: this.size(source) }
    this.range(source, file.size)
    const destinations = []
    if (isPiped) destinations.push(this.destination(consumer))
    if (consumer.kind === 'two') destinations.push(this.destination(consumer, true))
    const isShorter = ['lateEncoding', 'afterRead', 'dataBefore'].includes(consumer.kind)
    if (source.options.encoding || isShorter) unframed(destinations)

    const program = { file, source, consumer, destinations, interruptions: [] }
    if (random.chance(0.5)) {
      for (let count = random.chance(0.2) ? 2 : 1; count > 0; count--) {
        const interruption = this.interruption(program)
        const isOther = ({ what }) => what !== interruption?.what && !(isFlow(what) && isFlow(interruption?.what))
        if (interruption && program.interruptions.every(isOther)) program.interruptions.push(interruption)
      }
    }
    const happens = program.interruptions.map(({ what }) => what)
    program.own = happens.includes('truncate') || happens.includes('grow') || source.shortened !== undefined
    const isFailing = ['missing', 'directory', 'closedFd'].includes(source.from) && /ipeline/.test(consumer.kind)
    const isLeft = ['iterate', 'web'].includes(consumer.kind) && consumer.breaks
    program.isCut = happens.some((what) => CUTS.includes(what)) || source.signal !== undefined || isFailing || isLeft
    if (happens.includes('write') || happens.includes('grow')) unframed(destinations)
    program.finished = random.chance(0.1)
    return program
  }

  consumerKind () {
    return this.random.weighted({
      pipe: 34, pipeline: 11, pipelinePromise: 5, byHand: 7, through: 5, throughPipeline: 3, two: 5, dataToo: 6,
      lateEncoding: 3, afterRead: 5, unshift: 3, concat: 5, dataBefore: 4, late: 4,
      data: 6, readable: 5, iterate: 4, web: 3, resume: 2
    })
  }

  /** What some of the consumers need to know. */
  details () {
    const { random } = this
    return {
      /** When what comes late comes, if not by the count of bytes. */
      when: random.pick(['sync', 'tick', 'immediate', 'open', 'ready']),
      count: random.size(200_000),
      tail: random.chance(0.4),
      preface: random.chance(0.15),
      breaks: random.chance(0.3),
      onError: random.pick(['nothing', 'destroy', 'end'])
    }
  }

  source (consumer) {
    const { random } = this
    const options = {}
    const source = {
      from: random.weighted({ path: 50, buffer: 6, url: 6, fd: 18, handle: 12, missing: 4, directory: 2, closedFd: 1 }),
      options
    }
    // Descriptors that stand somewhere.
    if (source.from === 'fd' || source.from === 'handle') source.skip = random.chance(0.4) ? random.size(100_000) : 0
    if (random.chance(0.15)) options.autoClose = false
    if (random.chance(0.08)) options.emitClose = random.chance(0.3)
    if (random.chance(0.3)) options.highWaterMark = random.pick([1, 7, 1000, 4096, 16_384, 65_536, 100_000, 1 << 20])
    // A web stream does not take strings for bytes, and what is unshifted has to be bytes.
    if (random.chance(0.06) && !['unshift', 'afterRead', 'web'].includes(consumer.kind)) options.encoding = random.pick(['hex', 'latin1', 'base64'])
    if (random.chance(0.1) && ['path', 'buffer', 'url'].includes(source.from)) {
      options.flags = random.pick(['r', 'r+', 'rs+', 'a+'])
    }
    if (random.chance(0.05) && source.from !== 'handle') source.customFs = true
    if (random.chance(0.03)) source.signal = 'before'
    return source
  }

  size (source) {
    const { random } = this
    const { highWaterMark = 65_536 } = source.options
    const largest = Math.min(9_000_000, highWaterMark * 150)
    const lot = random.next()
    if (lot < 0.01) return Math.min(largest, 9_000_000)
    if (lot < 0.05) return highWaterMark < 65_536 ? largest : random.pick(REGIONS)
    if (lot < 0.15) return Math.min(largest, random.between(300_000, 4_000_000))
    if (lot < 0.5) return Math.min(largest, random.pick(SIZES.slice(0, -2)))
    return random.size(Math.min(largest, lot < 0.95 ? 400_000 : 3_000_000))
  }

  range (source, size) {
    const { random } = this
    const { options } = source
    // Shorter than was promised when somebody looked at it.
    if (random.chance(0.05)) source.shortened = random.between(0, size)
    if (!random.chance(0.4)) return
    if (random.chance(0.75)) options.start = random.chance(0.1) ? size + random.between(0, 2) : random.between(0, size)
    if (random.chance(0.6)) {
      const from = options.start ?? 0
      const lot = random.next()
      if (lot < 0.1 && size > REGIONS[0]) options.end = from + random.pick(REGIONS)
      else if (lot < 0.6) options.end = random.between(from, Math.max(from, size))
      else if (lot < 0.75) options.end = Math.max(from, size - 1)
      else if (lot < 0.9) options.end = Math.max(from, size + random.pick([0, 1, 100_000]))
      else if (lot < 0.95) options.end = from
      // Node never closes the handle of a stream that was refused.
      else options.end = source.from === 'handle' ? Infinity : random.pick([from - 1, Infinity])
    }
  }

  destination (consumer, isSecond = false) {
    const { random } = this
    const kind = random.weighted(isSecond
      ? { socket: 5, passthrough: 5 }
      : { response: 45, socket: 30, upload: 9, passthrough: 7, file: 5, tls: 2 })
    const destination = { kind, reading: this.reading() }
    if (kind === 'response') Object.assign(destination, this.response())
    if (kind === 'socket') Object.assign(destination, { unix: random.chance(0.3), reads: random.chance(0.7) })
    if (kind === 'upload') destination.framing = random.pick(['length', 'chunked'])
    if (kind === 'passthrough') destination.highWaterMark = random.pick([1, 1000, 16_384, 1 << 20])
    // Somebody who wants to see the bytes.
    if (kind !== 'tls' && random.chance(0.07)) destination.wrapped = random.pick(['write', 'write', 'end', '_write'])
    return destination
  }

  response () {
    const { random } = this
    const response = {
      unix: random.chance(0.15),
      version: random.chance(0.05) ? '1.0' : '1.1',
      method: random.chance(0.07) ? 'HEAD' : 'GET',
      status: random.chance(0.06) ? random.pick([204, 304]) : 200,
      framing: random.weighted({ length: 40, writeHead: 20, chunked: 20, default: 20 }),
      before: random.chance(0.15),
      pipelined: random.chance(0.2),
      after: random.chance(0.4),
      /** Whether what comes before and after on its connection is a file as well. */
      streamed: random.chance(0.5)
    }
    if (response.version === '1.0') {
      Object.assign(response, { before: false, pipelined: false, after: false })
      if (response.framing === 'chunked') response.framing = 'default'
    }
    if (random.chance(0.1)) response.corked = true
    return response
  }

  /** How whoever is at the other end reads. */
  reading () {
    const { random } = this
    const lot = random.next()
    if (lot < 0.75) return { kind: 'flow' }
    if (lot < 0.85) return { kind: 'late', turns: random.between(1, 60) }
    const count = random.between(1, 4)
    const at = Array.from({ length: count }, () => random.next()).sort()
    return { kind: 'pauses', at, turns: random.between(1, 30) }
  }

  interruption ({ consumer, destinations, file, source }) {
    const { random } = this
    const isPiped = destinations.length > 0
    const table = {
      pauseAndResume: 6,
      destroy: 6,
      destroyWithError: 3,
      close: 3,
      abort: source.signal ? 0 : 8,
      truncate: 6,
      grow: 4,
      pause: 1
    }
    if (isPiped) {
      Object.assign(table, { destroyDestination: 7, destroyDestinationWithError: 2, endDestination: 3 })
      Object.assign(table, { leave: 8, reset: 4 })
      if (['socket', 'response', 'upload'].includes(destinations[0].kind)) table.cork = 3
    }
    if (['pipe', 'byHand', 'late', 'afterRead'].includes(consumer.kind)) {
      Object.assign(table, { unpipeAndPipe: 10, unpipe: 2, unpipeAll: 1, write: 5, readable: 1 })
    }
    if (['iterate', 'web', 'readable'].includes(consumer.kind)) Object.assign(table, { pauseAndResume: 0, pause: 0 })
    const { from } = source
    const what = random.weighted(table)
    if (what === 'truncate' || what === 'grow') {
      if (['missing', 'directory', 'closedFd'].includes(from)) return null
      if (source.options.flags === 'a+' || source.options.encoding === 'base64') return null
    }
    const { start = 0, end = Infinity } = source.options
    const length = Math.min(file.size, (end ?? Infinity) + 1) - start
    const when = random.chance(0.55)
      ? { received: random.chance(0.3) ? 1 : random.between(0, Math.max(1, length)) }
      : { event: random.pick(['sync', 'tick', 'immediate', 'open', 'ready', 'end']) }
    const interruption = { what, when, turns: random.between(1, 20) }
    // To where a page ends: what is in flight is the page, and its rest becomes zeros.
    if (what === 'truncate') interruption.to = 4096 * random.between(0, Math.floor(file.size / 4096))
    if (what === 'grow') interruption.by = 1 + random.size(300_000)
    return interruption
  }
}

/** Resumed while it has no pipe, a stream loses what it reads. */
function isFlow (what) {
  return what === 'unpipeAndPipe' || what === 'pauseAndResume'
}

/** Nobody knows how long it is going to be. */
function unframed (destinations) {
  for (const destination of destinations) {
    if (destination.framing) destination.framing = destination.version === '1.0' ? 'default' : 'chunked'
  }
}

module.exports = { MARKER, PREFACE, TAIL, programOf }
