'use strict'

// Every function that the package exports, with arguments that make sense more often than not.

const fs = require('node:fs')
const { types } = require('node:util')
const api = require('sendfile-native')
const { register, unregister } = require('sendfile-native/register')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { NO_DESCRIPTOR } = require('./world')

unregister()

/** An argument that is mostly this; in a list, because what has a `then` is no value of an async function. */
async function mostly (within, make) {
  return [within.random.chance(0.15) ? within.values.any() : await make()]
}

function offset ({ random }) {
  return random.pick([null, 0, 1, 4999, 5000, 10n, 2 ** 53, 2n ** 63n - 1n, 2 ** 31, 100_000])
}

function length ({ random }) {
  return random.pick([0, 1, 1000, 2 ** 20, 2 ** 31, 2 ** 53 - 1])
}

async function raw (within, isAsync) {
  const { random, scope, world } = within
  const args = [
    ...await mostly(within, () => world.output(scope, random)),
    ...await mostly(within, () => world.input(scope, random)),
    ...await mostly(within, () => offset(within)),
    ...await mostly(within, () => length(within))
  ]
  if (!isAsync) return args.slice(0, random.chance(0.05) ? 2 : 4)
  return [...args, ...await mostly(within, () => within.callback())]
}

function flag ({ random }) {
  return () => random.chance(0.5)
}

function transferOptions (within) {
  const { random, values } = within
  return values.options({
    start: () => random.pick([0, 1, 4999, 100_000, 2 ** 53 - 1]),
    end: () => random.pick([0, 1, 4999, 100_000, 2 ** 53 - 1]),
    endDestination: flag(within),
    fallback: flag(within),
    zeroCopy: flag(within),
    onProgress: () => within.told(),
    signal: () => random.pick([() => AbortSignal.abort(), () => within.laterSignal(), () => values.signal()])()
  })
}

function serveOptions (within, more) {
  const { random } = within
  return within.values.options({
    acceptRanges: flag(within),
    cacheControl: flag(within),
    etag: flag(within),
    immutable: flag(within),
    lastModified: flag(within),
    symlinks: flag(within),
    maxAge: () => random.pick([0, 1000, '1 day', 1e300, Infinity]),
    precompressed: () => random.pick([true, false, ['gzip'], ['br', 'gzip']]),
    setHeaders: () => within.told(),
    ...more
  })
}

function streamOptions (within) {
  const { random, values, world } = within
  const options = values.options({
    start: () => random.pick([0, 1, 4999]),
    end: () => random.pick([0, 5000, Infinity]),
    highWaterMark: () => random.pick([1, 1000, 65536]),
    autoClose: flag(within),
    emitClose: flag(within),
    encoding: () => random.pick(['utf8', 'hex', 'none']),
    flags: () => random.pick(['r', 'r+', 'none']),
    fd: () => random.pick([NO_DESCRIPTOR, null]),
    signal: () => within.laterSignal()
  })
  // fs itself throws within a read of so much, and then never closes.
  const much = ownValue(options, 'highWaterMark')
  const isTooMuch = typeof much === 'number' && much >= 2 ** 31
  return [world.file(random), isTooMuch ? {} : options]
}

/** What asks nobody; a number, a truth value or an object. */
function ownValue (object, name) {
  if (types.isProxy(object)) return undefined
  const { value } = Object.getOwnPropertyDescriptor(Object(object), name) ?? {}
  return ['number', 'boolean', 'object'].includes(typeof value) ? value : undefined
}

const calls = {
  sendfile: async (within) => ({ call: api.sendfile, args: await raw(within, false) }),
  trySendfile: async (within) => ({ call: api.trySendfile, args: await raw(within, false) }),
  'sendfile, callback': async (within) => ({ call: api.sendfile, args: await raw(within, true) }),
  'promises.sendfile': async (within) => ({ call: api.promises.sendfile, args: await raw(within, false), isPromise: true }),
  watchWritable: async (within) => {
    const { random, scope, world } = within
    return { call: api.watchWritable, args: [...await mostly(within, () => world.socket(scope, random))] }
  },
  transferFile: async (within) => {
    const { random, scope, world } = within
    return {
      call: api.transferFile,
      args: [
        ...await mostly(within, () => world.destination(scope, random)),
        ...await mostly(within, () => world.source(scope, random)),
        transferOptions(within)
      ].slice(0, random.chance(0.3) ? 2 : 3),
      isPromise: true
    }
  },
  'transferFile, request': async (within) => {
    const { random, scope, world } = within
    return {
      call: api.transferFile,
      args: [world.request(scope), await world.source(scope, random), transferOptions(within)],
      isPromise: true
    }
  },
  createReadStream: async (within) => {
    const { random } = within
    const [file, options] = streamOptions(within)
    const call = random.pick([api.createReadStream, (...args) => new api.ReadStream(...args), api.ReadStream])
    // Made by fs, too, and compared: what getters of the options do is theirs.
    return { call, args: [...await mostly(within, () => file), options], like: fs.createReadStream, isStream: true }
  },
  'register, stream': async (within) => ({
    call: (...args) => {
      register()
      try {
        return fs.createReadStream(...args)
      } finally {
        if (within.random.chance(0.5)) unregister()
      }
    },
    args: streamOptions(within),
    like: fs.createReadStream,
    isStream: true
  }),
  'register, unregister': async ({ random }) => ({ call: random.pick([register, unregister]), args: [] }),
  stats: async (within) => ({ call: api.stats, args: [within.values.any()] }),
  serveFile: async (within) => {
    const { random, scope, world } = within
    const { req, res } = await world.exchange(scope, random)
    const root = () => random.pick([world.folder, world.folder, `${world.folder}/none`, ''])
    const name = () => random.pick([world.file(random), '5000.txt', 'folder', '../x', '/etc/passwd', 'none', '\0', '\ud800', ''])
    return {
      call: serveFile,
      args: [...await mostly(within, () => req), ...await mostly(within, () => res), ...await mostly(within, name),
        serveOptions(within, { root })],
      isPromise: true,
      isServe: true
    }
  },
  serveStatic: async (within) => {
    const { random, scope, values, world } = within
    const options = serveOptions(within, {
      dotfiles: () => random.pick(['allow', 'deny', 'ignore']),
      extensions: () => random.pick([['txt'], 'txt', false, ['', 'txt']]),
      fallthrough: flag(within),
      index: () => random.pick(['index.html', false, ['none', 'index.html'], '../x']),
      redirect: flag(within)
    })
    const { req, res } = await world.exchange(scope, random)
    if (random.chance(0.2)) req.url = random.pick(['', '/\ud800', 'http://[', '*', '/%', '?', '#', '//x//', '/5000.txt?a#b', '\\..\\x'])
    if (random.chance(0.1)) req.headers.range = random.pick(['bytes=', 'bytes=9-1', `bytes=${'0-,'.repeat(5000)}`, 'bytes=1-99999999999999999999'])
    const next = random.chance(0.5) ? within.told() : undefined
    return {
      call: (root, options) => {
        const handler = serveStatic(root, options)
        handler(req, res, next)
      },
      args: [random.chance(0.1) ? values.any() : world.folder, options],
      isServe: true
    }
  }
}

module.exports = { calls }
