'use strict'

// Loads the addon: a local build first, then the prebuilt one for this platform, architecture and libc.
// Where none loads, requiring the package still succeeds, and `assertAvailable` throws why.

const path = require('node:path')
const { assertWhole } = require('./addon-file')
const { unavailable } = require('./errors')
const { libc } = require('./libc')

const root = path.join(__dirname, '..')

const OFFER = 'Addons come prebuilt for Linux on x64 and arm64, with glibc 2.28 or musl 1.2.5, or later; any other is built ' +
  'in a checkout of the repository, with Rust, by npm run compile'

/** Node refuses before it looks at the file. */
const REFUSED = new Set(['ERR_ACCESS_DENIED', 'ERR_DLOPEN_DISABLED'])

function load () {
  const { platform, arch } = process
  if (platform !== 'linux') throw new Error(`there is no addon for ${platform}-${arch}: sendfile-native is native on Linux`)
  const target = `${platform}-${arch}-${libc()}`
  const file = `sendfile-native.${target}.node`
  const tried = []
  let cause
  for (const candidate of [path.join(root, file), path.join(root, 'prebuilds', file)]) {
    try {
      assertWhole(candidate)
      return require(candidate)
    } catch (error) {
      if (REFUSED.has(error.code)) throw error
      if (error.code !== 'ENOENT') cause ??= error
      tried.push(`${candidate} (${error.code === 'ENOENT' ? 'there is none' : error.message})`)
    }
  }
  const failure = new Error(`no addon loads on ${target}: tried ${tried.join(' and ')}. ${OFFER}`, { cause })
  failure.code = cause?.code ?? 'MODULE_NOT_FOUND'
  throw failure
}

/** What was the matter, and what to do about it. */
function advice ({ code, message }) {
  switch (code) {
    case 'ERR_DLOPEN_DISABLED':
      return 'addons are disabled: with the permission model run node with --allow-addons, and without --no-addons'
    case 'ERR_ACCESS_DENIED':
      return 'the permission model denies reading the addon: run node with --allow-fs-read for this package, and --allow-addons'
    default:
      return `${message}. transferFile, register and serveStatic go on, by copying`
  }
}

let addon = null
let failure = null
try {
  addon = load()
} catch (error) {
  failure = error
}

/** The first thing that every native call does. */
function assertAvailable () {
  if (failure) throw unavailable(`sendfile-native is not available: ${advice(failure)}`, failure)
}

module.exports = { addon, assertAvailable }
