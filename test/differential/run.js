'use strict'

// One run of a program with one implementation, and what was observed.

const { AsyncLocalStorage } = require('node:async_hooks')
const fs = require('node:fs')
const { finished } = require('node:stream')
const { turns } = require('../helpers')
const { Collected } = require('./collected')
const { consumers } = require('./consumers')
const { openDestination } = require('./destinations')
const { Expected } = require('./expected')
const { interruptions } = require('./interruptions')
const { PREFACE } = require('./program')
const { untilQuiet } = require('./quiet')
const { openOn, positionOf, sourceOf } = require('./sources')

/** Which run something belongs to that throws where nobody catches. */
const current = new AsyncLocalStorage()

/** Streams that do not close them hold them for good. */
const leakedHandles = []

/** Turns after which what has not come will not come. */
const LONG = 200

const SOURCE_EVENTS = ['open', 'ready', 'end', 'error', 'close']
const DESTINATION_EVENTS = ['pipe', 'unpipe', 'finish', 'error', 'close']

/**
 * @param {object} program
 * @param {{ name: string, createReadStream: Function }} implementation
 * @param {import('./world').World} world
 * @returns {Promise<object>} the observation
 */
function run (program, implementation, world) {
  const run = new Run(program, implementation, world)
  return current.run(run, () => run.whole())
}

class Run {
  constructor (program, implementation, world) {
    this.program = program
    this.implementation = implementation
    this.world = world
    this.number = world.runs++
    this.expected = new Expected(program)
    /** Grows with everything that happens. */
    this.activity = 0
    this.pending = 0
    this.events = {}
    this.order = []
    this.callbacks = {}
    this.waiting = 0
    this.problems = new Set()
    this.thrown = []
    /** Streams that are destroyed at the end. */
    this.holders = []
    this.forgotten = []
    this.destinations = []
    this.triggers = []
    this.read = null
    this.late = null
    this.keys = 0
    this.source = null
    this.controller = new AbortController()
  }

  async whole () {
    const { program, world } = this
    const { size } = program.file
    this.path = world.file(`${this.number}`, program.source.from === 'directory' ? null : size, program.own)
    const { shortened } = program.source
    if (shortened !== undefined && program.source.from !== 'directory') fs.truncateSync(this.path, shortened)
    this.named = await sourceOf(program, this.path)
    this.openDestinations()
    await untilQuiet(this, () => this.isOver)
    // Native threads close theirs in their own time.
    const isGone = () => openOn(this.path).length === 0
    if (this.implementation.isOurs && this.source?.destroyed) await untilQuiet(this, isGone)
    const observation = this.observed()
    observation.leaked = await this.end()
    if (this.problems.size > 0) observation.problems = [...this.problems]
    return observation
  }

  /** Opens all destinations: the program begins in the turn in which the last one is there. */
  openDestinations () {
    const { destinations } = this.program
    if (destinations.length === 0) return this.begin()
    let missing = destinations.length
    for (const [index, plan] of destinations.entries()) {
      openDestination(this, plan, (destination) => {
        this.destinations[index] = { ...destination, plan }
        this.watch(destinations.length > 1 ? `destination ${index}` : 'destination', destination.stream, DESTINATION_EVENTS)
        if (--missing === 0) current.run(this, () => this.begin())
      })
    }
  }

  get destination () {
    return this.destinations[0].stream
  }

  get peer () {
    return this.destinations[0].peer
  }

  begin () {
    const { program, named } = this
    const { consumer, source } = program
    if (this.isEnded) return
    this.touch()
    const isSignalled = source.signal || program.interruptions.some(({ what }) => what === 'abort')
    if (source.signal === 'before') this.controller.abort()
    const options = { ...named.options, ...(isSignalled && { signal: this.controller.signal }) }
    try {
      this.source = this.implementation.createReadStream(named.argument, options)
    } catch (err) {
      this.thrown.push(this.nameOf(err))
      for (const { stream } of this.destinations) stream.destroy()
      return
    }
    this.watch('source', this.source, SOURCE_EVENTS)
    if (program.finished) finished(this.source, { writable: false }, this.waitsFor('finished'))
    if (consumer.onError !== 'nothing' && this.destinations.length > 0 && !/^pipeline/.test(consumer.kind)) {
      this.source.on('error', () => {
        for (const { stream } of this.destinations) stream[consumer.onError]()
      })
    }
    if (consumer.preface) for (const { stream } of this.destinations) stream.write(PREFACE)
    this.guarded(() => consumers[consumer.kind](this, consumer))
    for (const interruption of program.interruptions) {
      const { what } = interruption
      const call = () => interruptions[what](this, interruption)
      const { delay, after } = this.implementation
      // What the peer does is noticed later, whenever it was.
      const isFar = what === 'leave' || what === 'reset'
      this.when(interruption.when, isFar && (delay || after) ? () => this.soon(call) : call)
    }
  }

  /** Calls it then: after an event of the source, or some count of bytes. */
  when ({ event, received }, callback) {
    const call = () => {
      this.touch()
      if (!this.isEnded) this.guarded(callback)
    }
    if (received !== undefined) this.triggers.push({ received, call })
    else if (event === 'sync') call()
    else if (event === 'tick') process.nextTick(call)
    else if (event === 'immediate') this.soon(call)
    else this.source.once(event, call)
  }

  /** One turn later, or a few more: which turn it is depends on the time of day anyway. */
  soon (call) {
    const { delay = 0, after } = this.implementation
    const whoHas = { end: this.source, finish: this.destinations[0]?.stream }
    if (!whoHas[after]) {
      this.later(turns(1 + delay).then(call))
      return
    }
    // In the turn of that event, if it comes at all.
    this.later(new Promise((resolve) => {
      whoHas[after].once(after, resolve)
      turns(LONG).then(resolve)
    }).then(call))
  }

  guarded (callback) {
    try {
      callback()
    } catch (err) {
      this.thrown.push(this.nameOf(err))
    }
  }

  touch () {
    this.activity++
  }

  /** Changes with everything that happens, also where nobody is told of it. */
  get progress () {
    const moved = this.destinations.map(({ stream }) => `${stream.writableLength} ${stream.bytesWritten}`)
    return [this.activity, this.source?.bytesRead, ...moved].join()
  }

  /** Somebody got bytes: whoever is the first one counts. */
  bytes (collected) {
    this.touch()
    if (collected !== (this.destinations[0]?.peer.body ?? this.read)) return
    for (const trigger of this.triggers.filter(({ received }) => received <= collected.count)) {
      this.triggers.splice(this.triggers.indexOf(trigger), 1)
      this.soon(trigger.call)
    }
  }

  /** Who reads the source on this side. */
  reader (isWhole = true) {
    this.read = new Collected(this)
    this.readIsWhole = isWhole
    return this.read
  }

  watch (who, stream, names) {
    const events = this.events[who] = []
    for (const name of names) {
      stream.on(name, (err) => {
        this.touch()
        if (this.isEnded) return
        events.push(name === 'error' ? `error ${this.nameOf(err)}` : name)
        if (name === 'end' || name === 'finish') this.order.push(`${who} ${name}`)
      })
    }
  }

  /** A callback that is called once, with an error or without. */
  waitsFor (name) {
    this.waiting++
    this.callbacks[name] = []
    return (err) => {
      this.touch()
      if (this.isEnded) return
      if (this.callbacks[name].length === 0) this.waiting--
      this.callbacks[name].push(err ? this.nameOf(err) : 'done')
      if (name === 'pipeline') this.order.push(`${name} called`)
    }
  }

  async later (promise) {
    this.pending++
    try {
      await promise
    } catch (err) {
      this.thrown.push(this.nameOf(err))
    }
    this.pending--
    this.touch()
  }

  get isBusy () {
    return this.pending > 0
  }

  /** Whether a connection holds bytes that its peer has not got, or has not been told that it left. */
  get isInFlight () {
    return this.destinations.some(({ peer, ends: [from, to] = [] }) => {
      if (!to || from.destroyed) return false
      return peer.hasLeft || (!to.destroyed && from.bytesWritten !== to.bytesRead)
    })
  }

  holds (stream) {
    stream.on('error', () => {})
    this.holders.push(stream)
  }

  key () {
    return `${this.number}-${this.keys++}`
  }

  forgets (...keys) {
    this.forgotten.push(...keys)
  }

  nameOf (err) {
    if (!(err instanceof Error)) return `no error: ${err}`
    // Which of its calls meets the end of a connection first is a matter of luck.
    if (['ECONNRESET', 'EPIPE'].includes(err.code)) return 'lost'
    const path = err.path === undefined ? '' : ` ${err.path === this.path ? 'its path' : err.path.replace(this.path, '')}`
    return `${err.name} ${err.code ?? err.message}${err.syscall ? ` ${err.syscall}` : ''}${path}`
  }

  lied (what) {
    this.problems.add(what)
  }

  wrong (what) {
    this.problems.add(what)
  }

  get isOver () {
    if (this.source === null) return this.thrown.length > 0 && this.destinations.every(({ peer }) => peer.isOver)
    const { source, program, waiting, pending } = this
    if (waiting > 0 || pending > 0) return false
    const isClosed = source.closed || (program.source.options.autoClose === false && source.readableEnded)
    const isThere = ([who, events]) => who === 'source' || who === 'between' || events.includes('close')
    return isClosed && Object.entries(this.events).every(isThere) && this.destinations.every(({ peer }) => peer.isOver)
  }

  observed () {
    const { source, program, named } = this
    const { isCut } = program
    const observation = { thrown: this.thrown, events: this.events, callbacks: this.callbacks }
    if (this.source) {
      const { destroyed, readableEnded, errored } = source
      observation.source = { destroyed, readableEnded, errored: errored ? this.nameOf(errored) : null }
      observation.destinations = this.destinations.map(({ stream, peer }) => {
        const taken = this.read && !this.readIsWhole ? this.read.count : 0
        const { destroyed, writableEnded, writableFinished } = stream
        const summary = peer.summary(isCut, taken)
        return { destroyed, writableEnded, writableFinished, peer: this.isSettled(stream, peer) ? summary : 'somewhere' }
      })
      if (this.read) {
        const read = this.expected.ofReader(this.read.bytes)
        observation.read = this.judged(read, this.readIsWhole ? this.read : null)
      }
      if (this.late) {
        const isComplete = !isCut && source.readableEnded
        const { bytes } = this.late
        const late = this.lateIsWhole ? this.expected.ofReader(bytes) : this.expected.ofLate(bytes, isComplete)
        // Bytes may or may not have come before it.
        if (late.wrong || this.lateIsWhole) observation.late = this.judged(late, null)
      }
    }
    const numbers = openOn(this.path)
    observation.descriptors = numbers.length
    if (!isCut && this.source) {
      observation.order = this.order
      observation.bytesRead = source.bytesRead
      observation.pos = source.pos
      if (named.fd !== undefined && numbers.includes(named.fd)) observation.position = positionOf(named.fd)
    }
    return structuredClone(coarse(observation, program))
  }

  /** Whether what the peer got does not depend on who was faster. */
  isSettled (stream, peer) {
    const { isCut, interruptions } = this.program
    if (!isCut) return true
    const breaks = interruptions.some(({ what }) => /^(leave|reset|destroyDestination)/.test(what))
    return stream.writableFinished && !breaks && !peer.hasLeft
  }

  judged ({ extent, wrong }, collected) {
    if (wrong) this.problems.add(wrong)
    return this.program.isCut || !collected ? extent : `${extent}: ${collected.count}`
  }

  /** It closes when no stream holds it any more, which may be never. */
  async closeHandle (handle) {
    let isClosed = false
    handle.close().then(() => { isClosed = true })
    await untilQuiet(this, () => isClosed)
  }

  /** Ends what is still there: how many descriptors are left that nobody could close. */
  async end () {
    this.isEnded = true
    for (const key of this.forgotten) this.world.forget(key)
    const { source, named } = this
    const streams = [source, ...this.destinations.map(({ stream }) => stream), ...this.holders]
    for (const stream of streams) stream?.on('error', () => {}).destroy()
    for (const { peer } of this.destinations) peer.leave()
    await untilQuiet(this, () => source === null || source.closed)
    if (named.handle) await this.closeHandle(named.handle)
    else if (named.fd !== undefined && openOn(this.path).includes(named.fd)) fs.closeSync(named.fd)
    // With autoClose: false, or when it was taken from a stream that never began, nobody else has the number.
    const own = source?.autoClose === false || source === null ? source?.fd : undefined
    if (typeof own === 'number' && !named.handle && openOn(this.path).includes(own)) fs.closeSync(own)
    if (openOn(this.path).length > 0) await untilQuiet(this, () => openOn(this.path).length === 0)
    const leaked = openOn(this.path)
    // A FileHandle that is still open would close its number, or throw, when it is collected.
    for (const fd of leaked) {
      if (named.handle) leakedHandles.push(named.handle)
      else fs.closeSync(fd)
    }
    fs.rmSync(this.path, { recursive: true })
    return leaked.length
  }
}

/** Leaves out what depends on who was faster, whatever the streams do. */
function coarse (observation, { interruptions }) {
  const happens = (...names) => interruptions.some(({ what }) => names.includes(what))
  const without = (...names) => {
    for (const [who, list] of Object.entries(observation.events)) {
      observation.events[who] = list.filter((name) => !names.includes(name))
    }
  }
  const { events, order } = observation
  observation.events = Object.fromEntries(Object.keys(events).sort().map((who) => [who, events[who]]))
  if (order && events['destination 1']) observation.order = order.filter((name) => !name.endsWith('finish'))
  if (happens('unpipeAndPipe')) without('pipe', 'unpipe')
  // How much was read ahead decides whether an end that nobody was told of counts as one.
  if (events.source && !events.source.includes('end')) {
    for (const name of ['close', 'finished']) {
      const isEither = (result) => result === 'done' || result === 'Error ERR_STREAM_PREMATURE_CLOSE'
      const results = observation.callbacks[name]
      if (results) observation.callbacks[name] = results.map((result) => isEither(result) ? 'closed' : result)
    }
  }
  if (happens('leave', 'reset')) {
    without('error lost')
    // A reset that comes with the end is noticed by some, and by others not any more.
    const { pipeline } = observation.callbacks
    if (pipeline && events.destination.includes('finish')) {
      observation.callbacks.pipeline = pipeline.map((result) => result === 'lost' ? 'done' : result)
    }
  }
  return observation
}

/** Somebody threw where nobody catches: whose it was learns of it. */
function onUncaught (err) {
  const run = current.getStore()
  if (!run) throw err
  run.touch()
  if (!run.isEnded) run.thrown.push(`uncaught ${run.nameOf(err)}`)
}

/** The run that this belongs to, if there is one. */
function runNow () {
  return current.getStore()
}

module.exports = { onUncaught, run, runNow }
