'use strict'

// What a session does, all of it decided beforehand from the seed and the session's number.

const { rangeOf } = require('./model')
const { Random, mixed } = require('./random')

const LARGEST = 20_000_000
/** Where code has its limits: pages, the pieces of copying, what goes inline, the tail that is held back. */
const LIMITS = [4096, 65_536, 262_144, 1 << 20]
const SIZES = [0, 1, 2, 100, ...LIMITS.flatMap((size) => [size - 1, size, size + 1]), LARGEST]

/** The files that stay as they are: `{ name, size }`. */
function fixedFiles (seed) {
  const random = new Random(seed)
  const sizes = [...SIZES, ...Array.from({ length: 16 }, () => random.size(LARGEST))]
  return sizes.map((size, index) => ({ name: `file ${index} é`, size }))
}

function sessionPlan (seed, number, files) {
  const random = new Random(mixed(seed, number))
  return new Planner(random, number, files).session()
}

class Planner {
  constructor (random, number, files) {
    this.random = random
    this.number = number
    this.files = files
    this.ids = 0
    /** Files of this session alone, which it changes: `{ name, size }`. */
    this.ownFiles = []
  }

  session () {
    const { random, number } = this
    const lot = random.next()
    const session = { number, unix: random.chance(0.2), ...this.reading() }
    if (lot < 0.5) Object.assign(session, this.http())
    else if (lot < 0.75) Object.assign(session, this.raw())
    else if (lot < 0.87) return { ...this.upload(), number, unix: session.unix }
    else Object.assign(session, random.chance(0.7) ? this.changingHttp() : this.changingRaw())
    session.ownFiles = this.ownFiles
    session.bytes = bytesOf(session)
    // The file has to change while it is sent, and that takes a reader who is there.
    if (this.ownFiles.length === 0) Object.assign(session, this.leaving(session.bytes))
    for (const pause of session.pauses) pause.at = Math.floor(pause.at * session.bytes)
    // Twenty megabytes in pieces of a thousand bytes would be all that the machine did.
    if (session.read > 0) session.read = Math.max(session.read, session.bytes >> 10)
    return session
  }

  /** How the client reads: `read` bytes at most at a time, with pauses. */
  reading () {
    const { random } = this
    const ms = () => random.chance(0.2) ? random.between(200, 1000) : random.between(1, 50)
    const pause = () => ({ at: random.next(), ms: ms() })
    const pauses = random.chance(0.25) ? Array.from({ length: random.between(1, 8) }, pause) : []
    if (pauses.length > 0) pauses[0].at = random.pick([0, pauses[0].at])
    pauses.sort((a, b) => a.at - b.at)
    return { read: random.chance(0.25) ? random.pick([100, 1021, 16_384]) : 0, pauses }
  }

  /** Whether the client leaves before it has everything. */
  leaving (bytes) {
    const { random } = this
    if (!random.chance(0.2)) return {}
    const how = random.pick(['destroy', 'reset'])
    const when = random.chance(0.6) ? { at: Math.floor(random.next() * bytes) } : { ms: random.size(200) }
    return { leave: { how, ...when } }
  }

  id () {
    return `${this.number}-${this.ids++}`
  }

  text (most = 4000) {
    // Long enough that nothing else begins like it.
    return { text: this.id(), length: 16 + this.random.size(most) }
  }

  /** A range of a file that stays as it is, and how the server sends it. */
  range () {
    const { random } = this
    const file = random.pick(this.files)
    const step = { name: file.name, source: random.pick(['path', 'path', 'buffer', 'url', 'fd', 'handle']) }
    if (random.chance(0.5)) {
      if (random.chance(0.8)) step.start = random.between(0, file.size + 1)
      const more = random.chance(0.5) ? random.size(LARGEST) : random.between(0, file.size)
      if (random.chance(0.7)) step.end = (step.start ?? 0) + more
    }
    Object.assign(step, rangeOf(file.size, step.start, step.end))
    if (random.chance(0.1)) step.progress = true
    if (random.chance(0.1)) step.zeroCopy = false
    return step
  }

  /** Files and bytes between them. */
  mixture (length, share) {
    return Array.from({ length }, () => this.random.chance(share) ? this.range() : this.text())
  }

  /** An AbortSignal that fires before the call (-1), right after it, or some milliseconds later. */
  abort () {
    return this.random.pick([-1, 0, 1, this.random.size(30), this.random.size(300)])
  }

  http () {
    const { random } = this
    const requests = Array.from({ length: 1 + random.size(23) }, () => this.request())
    return {
      kind: 'http',
      pipelined: random.chance(0.5),
      ending: random.pick(['close', 'end', 'destroy', 'reset', 'half']),
      requests
    }
  }

  request () {
    const { random } = this
    const lot = random.next()
    const method = random.chance(0.12) ? 'HEAD' : 'GET'
    if (lot < 0.25) return this.smallAnswer(method)
    const request = { id: this.id(), method, framing: random.pick(['own', 'own', 'length', 'chunked']) }
    if (lot < 0.85) {
      request.kind = 'file'
      request.steps = [this.range()]
      if (random.chance(0.06)) Object.assign(request, { status: random.pick([204, 304]), framing: 'own' })
      if (random.chance(0.07)) request.steps[0].abort = this.abort()
    } else {
      request.kind = 'parts'
      request.framing = random.pick(['length', 'chunked'])
      request.steps = this.mixture(random.between(1, 6), 0.5)
    }
    if (random.chance(0.1)) request.cork = true
    return request
  }

  smallAnswer (method = 'GET') {
    return { id: this.id(), kind: 'json', method, size: this.random.size(3000), steps: [] }
  }

  /** Lines, each of which asks a socket for these steps. */
  raw () {
    const { random } = this
    const lines = Array.from({ length: random.between(1, 4) }, () => {
      const steps = this.mixture(random.size(14), 0.6)
      const files = steps.filter(({ name }) => name)
      if (files.length > 0 && random.chance(0.2)) random.pick(files).abort = this.abort()
      return { id: this.id(), cork: random.chance(0.3), steps: [...steps, this.text()] }
    })
    // The last file ends the destination by itself.
    if (random.chance(0.4)) lines.at(-1).steps.push(this.range())
    if (random.chance(0.6) || lines.at(-1).steps.at(-1).name) lines.at(-1).end = true
    return { kind: 'raw', pipelined: random.chance(0.5), ending: random.pick(['end', 'destroy', 'reset', 'half']), lines }
  }

  /** A file of its own, and what becomes of it once `at` bytes of it have come. */
  changing () {
    const { random } = this
    const how = random.pick(['replace', 'unlink', 'truncate', 'grow'])
    const size = random.chance(0.6) ? random.between(5_000_000, LARGEST) : 1 + random.size(LARGEST - 1)
    const file = { name: `own ${this.id()}`, size }
    this.ownFiles.push(file)
    const at = 1 + (random.chance(0.5) ? random.size(size - 1) : 0)
    let to = random.between(0, size - 1)
    if (how === 'grow') to = size + 1 + random.size(1 << 20)
    else if (random.chance(0.5)) to -= to % 4096
    const change = { how, at: Math.min(at, size), to }
    return { name: file.name, source: random.pick(['path', 'fd', 'handle']), from: 0, length: size, change }
  }

  changingHttp () {
    const framing = this.random.pick(['own', 'length', 'chunked'])
    const request = { id: this.id(), kind: 'file', method: 'GET', framing, steps: [this.changing()] }
    // The next answer must not land in this one's body.
    const requests = [this.smallAnswer(), request, this.smallAnswer()]
    return { kind: 'http', changing: true, pipelined: this.random.chance(0.8), ending: 'destroy', requests }
  }

  changingRaw () {
    const lines = [{ id: this.id(), end: true, steps: [this.text(), this.changing(), this.text()] }]
    return { kind: 'raw', changing: true, pipelined: true, ending: 'end', lines }
  }

  upload () {
    const { random } = this
    const single = random.chance(0.6)
    const steps = single ? [this.range()] : this.mixture(random.between(1, 5), 0.5)
    const framing = single ? random.pick(['own', 'length', 'chunked']) : 'chunked'
    const upload = { kind: 'upload', id: this.id(), single, framing, steps }
    const lot = random.next()
    if (lot < 0.1) upload.leave = { ms: random.size(100) }
    else if (lot < 0.2 && single) steps[0].abort = this.abort()
    else if (lot < 0.3) upload.refuseAt = random.size(1 << 20)
    if (random.chance(0.3)) upload.pause = random.size(300)
    return upload
  }
}

function bytesOf ({ requests, lines }) {
  const steps = (requests ?? lines).flatMap((request) => request.method === 'HEAD' ? [] : request.steps)
  return steps.reduce((sum, { length }) => sum + length, 0)
}

/** Sessions that need everything: more than fits into a socket, many at once. */
function warmUpPlans (name) {
  const file = { name, source: 'path', from: 0, length: LARGEST }
  const plan = { number: -1, ownFiles: [], read: 0, pauses: [{ at: 0, ms: 50 }], ending: 'destroy' }
  const request = { id: '-1', kind: 'file', method: 'GET', framing: 'own' }
  const text = { text: 'warm', length: 1 }
  return [false, true].flatMap((unix) => [
    { ...plan, unix, kind: 'http', requests: [{ ...request, steps: [file] }] },
    { ...plan, unix, kind: 'http', requests: [{ ...request, steps: [{ ...file, zeroCopy: false }] }] },
    { ...plan, unix, kind: 'raw', lines: [{ id: '-1', steps: [file, text] }] },
    { ...plan, unix, kind: 'upload', id: '-1', single: true, framing: 'own', steps: [file], pause: 50 }
  ])
}

module.exports = { LARGEST, warmUpPlans, fixedFiles, sessionPlan }
