'use strict'

// Values that nobody passes on purpose. What they throw is remembered: to hand it on is right, to make anything else of
// it is not.

const { readFileSync } = require('node:fs')

const NAMES = ['start', 'end', 'signal', 'endDestination', 'onProgress', 'fallback', 'zeroCopy', 'root', 'symlinks', 'etag',
  'maxAge', 'index', 'extensions', 'dotfiles', 'setHeaders', 'precompressed', 'fd', 'pending', 'destroyed', 'aborted',
  'addEventListener', 'removeEventListener', 'write', 'on', 'constructor', 'name', 'headers', 'writeHead', 'length',
  'toString', 'valueOf', 'then', Symbol.toPrimitive, Symbol.iterator, Symbol.toStringTag, Symbol.hasInstance]

const TRAPS = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'set', 'apply', 'construct',
  'defineProperty', 'deleteProperty', 'isExtensible']

/** Those of what may be a callback: who throws there throws to everybody. */
const CALLS = new Set(['apply', 'construct'])

const PRIMITIVES = [
  undefined, null, true, false, 0, -0, 1, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32 + 1, 2 ** 53, 2 **
  53 - 1, 2 ** 63, -(2 ** 63), 1e300, 5e-324, 0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n, -(2n ** 63n),
  10n ** 40n, '', 'x', '0', '\0', 'a\0b', '\ud800', '__proto__', 'constructor', 'x'.repeat(5000), '1 day', 'br',
  Symbol('a'), Symbol.iterator
]

/** @param {import('./case').Case} within which the values are made for */
class Values {
  constructor (within) {
    this.within = within
    this.random = within.random
  }

  /** Throws something, or calls the package again, or returns anything. */
  act (isCallback = false) {
    const { random, within } = this
    within.hasActed = true
    if (random.chance(0.3)) within.again()
    if (random.chance(0.6)) {
      const thrown = random.pick([new Error('thrown'), Symbol('thrown'), Object.freeze(new Error('frozen')), 'a text'])
      within.threw(thrown, isCallback)
      throw thrown
    }
    return this.primitive()
  }

  primitive () {
    const value = this.random.pick(PRIMITIVES)
    // A stream closes the descriptor that it is given: those of this process are not to be among them.
    return this.within.isStream && (value === 0 || value === 1) ? -1 : value
  }

  any () {
    return this.random.chance(0.5) ? this.primitive() : this.object()
  }

  object () {
    const act = () => this.act()
    const { random } = this
    const { proxy, revoke } = Proxy.revocable(random.chance(0.5) ? {} : function () {}, {})
    const makers = [
      () => ({}), () => Object.create(null), () => [], () => [this.primitive(), this.primitive()], () => new Date(NaN),
      () => /x/, () => new Map(), () => function () {}, () => class {}, () => new Error('an error'), () => new Proxy({}, {}),
      () => Object.freeze({ [random.pick(NAMES)]: this.primitive() }),
      () => ({ [random.pick(NAMES)]: this.primitive(), [random.pick(NAMES)]: this.primitive() }),
      () => ({ constructor: { name: this.primitive() } }),
      () => Object.defineProperty(function () {}, 'name', { value: this.primitive() }),
      () => Object.defineProperty(function () {}, 'name', { get: act }),
      () => ({ valueOf: act, toString: act, [Symbol.toPrimitive]: act }),
      () => this.getters(),
      () => new Proxy(random.chance(0.5) ? {} : function () {}, Object.fromEntries(
        TRAPS.filter(() => random.chance(0.5)).map((trap) => [trap, CALLS.has(trap) ? () => this.act(true) : act]))),
      () => { revoke(); return proxy },
      () => this.detached(),
      () => new SharedArrayBuffer(8), () => Buffer.from(new SharedArrayBuffer(8)),
      () => this.resizable(),
      () => Buffer.alloc(3), () => new Uint16Array(3), () => new DataView(new ArrayBuffer(2)),
      () => Object(1n), () => Object(5), () => Object('text'), () => Object(Symbol('boxed')),
      () => ({ then: act }), () => ({ [Symbol.hasInstance]: act }),
      () => new URL(random.pick(['file:///%00', 'file://host/path', 'http://host/', 'file:///a%2Fb', 'file:///none'])),
      () => this.within.isStream ? [] : AbortSignal.abort(this.primitive()),
      () => new AbortController().signal, () => this.signal()
    ]
    return random.pick(makers)()
  }

  getters () {
    const value = this.random.chance(0.5) ? Object.create(null) : {}
    for (const name of NAMES.filter(() => this.random.chance(0.3))) {
      Object.defineProperty(value, name, { get: () => this.act(), enumerable: this.random.chance(0.7) })
    }
    return value
  }

  detached () {
    const buffer = new ArrayBuffer(16)
    const bytes = this.random.pick([() => buffer, () => Buffer.from(buffer), () => new Float64Array(buffer)])()
    structuredClone(buffer, { transfer: [buffer] })
    return bytes
  }

  /** Of a buffer that became shorter. */
  resizable () {
    // eslint-disable-next-line n/no-unsupported-features/es-syntax -- before Node 20 it is one as any
    const buffer = new ArrayBuffer(16, { maxByteLength: 32 })
    const bytes = Buffer.from(buffer, 8)
    // eslint-disable-next-line n/no-unsupported-features/es-syntax -- likewise
    buffer.resize?.(4)
    return this.random.chance(0.5) ? bytes : buffer
  }

  /** What looks like an AbortSignal. */
  signal () {
    const maybe = () => this.random.pick([() => {}, () => {}, () => this.act(true), undefined])
    const named = { addEventListener: maybe(), removeEventListener: maybe() }
    return { aborted: this.random.chance(0.2), reason: this.primitive(), ...named }
  }

  /** Some of these, with others among them. */
  options (known) {
    const { random } = this
    if (random.chance(0.05)) return this.any()
    const entries = Object.entries(known).filter(() => random.chance(0.4)).map(([name, make]) => [name, make()])
    const spoiled = entries.map(([name, value]) => random.chance(0.12) ? [name, this.any()] : [name, value])
    if (random.chance(0.05)) spoiled.push([random.pick(NAMES), this.any()])
    const options = Object.fromEntries(spoiled)
    if (random.chance(0.1)) return Object.create(options)
    const get = (...args) => random.chance(0.2) ? this.act() : Reflect.get(...args)
    if (random.chance(0.05)) {
      Object.defineProperty(options, random.pick(NAMES), { get: () => this.act(), enumerable: true })
    }
    if (random.chance(0.05)) return new Proxy(options, { get })
    return options
  }

  /** Something on Object.prototype, for as long as `call` takes. */
  polluted (call) {
    const { random } = this
    const name = random.pick(NAMES.filter((name) => typeof name === 'string' && !Object.hasOwn(Object.prototype, name) && name !== 'then'))
    const value = this.primitive()
    const accessor = { get: () => this.act(), set: () => { this.act() } }
    Object.defineProperty(Object.prototype, name, {
      ...(random.chance(0.5) ? { value, writable: random.chance(0.5) } : accessor),
      configurable: true,
      enumerable: random.chance(0.3)
    })
    try {
      return call()
    } finally {
      delete Object.prototype[name]
    }
  }
}

/** The codes that the types name, in all of these files. */
function documentedCodes (...files) {
  return new Set(files.flatMap((file) => readFileSync(file, 'utf8').match(/\b(?:ERR_[A-Z_]+|ABORT_ERR)\b/g)))
}

module.exports = { Values, documentedCodes }
