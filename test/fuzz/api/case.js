'use strict'

// One call, and what comes of it.

const fs = require('node:fs')
const { constants: { errno: errnos } } = require('node:os')
const path = require('node:path')
const { getSystemErrorName, inspect, types } = require('node:util')
const api = require('sendfile-native')
const { calls } = require('./calls')
const { Values, documentedCodes } = require('./values')
const { Scope, failure } = require('./world')

const root = path.join(__dirname, '..', '..', '..')
const DOCUMENTED = documentedCodes(...['index.d.ts', 'promises.d.ts', 'static.d.ts'].map((name) => path.join(root, name)))
const NAMES = Object.keys(calls)

/** So long a call may go on before everything that it was made on is closed, in turns of the loop. */
const TURNS = 8

class Case {
  constructor (world, random) {
    this.world = world
    this.random = random
    this.scope = new Scope()
    this.values = new Values(this)
    this.name = random.pick(NAMES)
    this.thrown = new Set()
    this.thrownByCallbacks = new Set()
    this.depth = 0
    this.findings = []
    this.outcomes = []
    /** Calls that are to be answered. */
    this.owed = 0
    this.answered = null
    this.aborts = []
    /** Whether a stream's constructor threw: what is left of the stream, nobody has. */
    this.isHalfMade = false
  }

  threw (value, isCallback) {
    this.thrown.add(value)
    if (isCallback) this.thrownByCallbacks.add(value)
  }

  /** A callback that is owed exactly one answer. */
  callback () {
    const { random } = this
    let times = 0
    const callback = (err, bytes) => {
      if (!this.hasReturned) this.find('the callback is called before the call has returned')
      if (++times > 1) this.find('the callback is called twice')
      this.settle()
      if (err) this.judge(err, 'callback')
      else if (!(bytes >= 0)) this.find(`the callback is told ${inspect(bytes)}`)
      if (random.chance(0.2)) this.values.act(true)
    }
    this.owesCallback = callback
    return callback
  }

  /** A callback that may be called any number of times. */
  told () {
    const acts = this.random.chance(0.3)
    return () => {
      if (acts) this.values.act(true)
    }
  }

  laterSignal () {
    const controller = new AbortController()
    const abort = () => controller.abort(this.values.primitive())
    this.scope.after(abort)
    if (this.random.chance(0.5)) setImmediate(abort)
    return controller.signal
  }

  /** Called from within a call, by what it looks at. */
  again () {
    if (this.depth > 1 || this.isOver) return
    this.depth++
    const again = [
      () => api.trySendfile(999_999, 999_999, 0, 1),
      () => api.sendfile(999_999, 999_999, 0, 1, () => {}),
      () => api.transferFile(this.values.primitive(), this.world.file(this.random)),
      () => api.transferFile(this.lastArgs?.[0], this.world.file(this.random)),
      () => api.watchWritable(this.lastArgs?.[0]),
      () => api.stats()
    ]
    try {
      const result = this.random.pick(again)()
      if (types.isPromise(result)) this.await(result)
    } catch (err) {
      this.judge(err, 'again')
    } finally {
      this.depth--
    }
  }

  await (promise) {
    this.owed++
    promise.then(() => this.outcomes.push('fulfilled'), (err) => this.judge(err, 'rejected')).then(() => this.settle())
  }

  settle () {
    this.owed--
    if (this.owed <= 0) this.answered?.()
  }

  find (what) {
    this.findings.push(`${this.name}: ${what}`)
  }

  async run (stage) {
    this.isStream = /stream/i.test(this.name)
    stage('arguments')
    const made = await calls[this.name](this)
    const { args, call, isPromise, isStream, like } = made
    this.isServe = made.isServe
    this.lastArgs = args
    stage('call')
    this.isPolluted = this.random.chance(0.1)
    const invoke = () => Reflect.apply(call, undefined, args)
    let result
    try {
      if (this.owesCallback && args[4] === this.owesCallback) this.owed++
      result = this.isPolluted ? this.values.polluted(invoke) : invoke()
    } catch (err) {
      if (this.owesCallback && args[4] === this.owesCallback) this.owed--
      if (isPromise) this.find(`throws, where it should reject: ${inspect(err)}`)
      if (like) this.compareWith(like, args, err)
      else this.judge(err, 'thrown')
    }
    this.hasReturned = true
    if (types.isPromise(result)) this.await(result)
    else if (isStream && result !== undefined) await this.read(result)
    else if (result !== undefined) this.judgeResult(result)
    stage('answer')
    await this.turns()
    stage('end')
    await this.scope.close()
    if (this.owed > 0) await new Promise((resolve) => { this.answered = resolve })
    await this.turns()
    this.isOver = true
  }

  async turns () {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  judgeResult (result) {
    if (this.name === 'stats') return this.outcomes.push('stats')
    if (typeof result !== 'number' || !Number.isInteger(result)) return this.find(`returns ${inspect(result)}`)
    const isErrno = this.name === 'trySendfile' && Object.values(errnos).includes(-result)
    if (result < 0 && !isErrno) this.find(`returns ${result}`)
    this.outcomes.push('returned')
  }

  async read (stream) {
    if (stream.destroyed) this.scope.after(() => this.closeLeft(stream))
    this.scope.after(() => this.awaitOpen(stream))
    this.scope.stream(stream)
    const { random } = this
    random.pick([() => {}, () => stream.resume(), () => stream.destroy(), () => {
      stream.pipe(this.world.taking(this.scope, random))
    }])()
    if (random.chance(0.5)) stream.pipe(await this.world.socket(this.scope, random))
    this.outcomes.push('stream')
  }

  /** One that was destroyed before it was open is open, and closed, later. */
  async awaitOpen (stream, isOver = () => stream.closed) {
    for (let waits = 0; stream.pending && !isOver() && waits < 200; waits++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Where the signal was aborted before, fs itself opens the file, and leaves it open. */
  async closeLeft (stream) {
    await this.awaitOpen(stream, () => false)
    if (typeof stream.fd !== 'number') return
    fs.closeSync(stream.fd)
    stream.fd = null
  }

  /** fs throws the same of it. */
  compareWith (like, args, err) {
    this.isHalfMade = true
    if (this.thrown.has(err)) return this.outcomes.push('hostile')
    let other = null
    try {
      const stream = like(...args)
      this.scope.after(() => this.awaitOpen(stream))
      this.scope.stream(stream)
    } catch (err) {
      other = err
    }
    // What the values do when they are asked, and what Object.prototype had, is gone by now.
    if (err.code !== other?.code && !this.hasActed && !this.isPolluted) this.find(`throws ${inspect(err)}, and fs ${inspect(other)}`)
    this.outcomes.push(String(err.code))
  }

  judge (err, how) {
    if (err === failure || err?.message === failure.message) return this.outcomes.push('of the destination')
    if (this.thrown.has(err) || (err && this.thrown.has(err.cause))) return this.outcomes.push('hostile')
    // Nobody can assign to what Object.prototype has as read-only.
    const isReadOnly = err instanceof TypeError && /read only property/.test(err.message)
    if (this.isPolluted && isReadOnly) return this.outcomes.push('polluted')
    if (ofProxy(err)) return this.outcomes.push('revoked')
    if (!(err instanceof Error)) return this.find(`${how}: no Error: ${inspect(err)}`)
    const { code, errno, syscall, status, statusCode } = err
    const isServed = status === statusCode && status >= 400 && status < 600
    if (this.isServe && isServed) return this.outcomes.push(String(status))
    const isSystem = errno < 0 && typeof syscall === 'string' && getSystemErrorName(errno) === code
    if (!isSystem && !DOCUMENTED.has(code)) return this.find(`${how}: ${inspect(err)}`)
    this.outcomes.push(code)
  }
}

/** What the language says of a revoked proxy, of traps that return what they must not, and of a class as a callback. */
function ofProxy (err) {
  return err instanceof TypeError && /proxy that has been revoked|on proxy: trap|^Class constructor|^CreateListFromArrayLike/.test(err.message)
}

module.exports = { Case, ofProxy }
