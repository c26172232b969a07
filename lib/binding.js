'use strict'

// Loads the addon: a local build first, then the prebuilt one for this platform, architecture and libc.
// Where none loads, requiring the package still succeeds, and `assertAvailable` throws why.

const path = require('node:path')
const { unavailable } = require('./errors')

const root = path.join(__dirname, '..')

function load () {
  const { platform, arch } = process
  if (platform !== 'linux') throw new Error(`no addon for ${platform}: sendfile-native is native on Linux`)
  const libc = require('detect-libc').isNonGlibcLinuxSync() ? 'musl' : 'gnu'
  const file = `sendfile-native.${platform}-${arch}-${libc}.node`
  const tried = [path.join(root, file), path.join(root, 'prebuilds', file)]
  for (const candidate of tried) {
    try {
      return require(candidate)
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw new Error(`no addon for ${platform}-${arch}-${libc}: tried ${tried.join(' and ')}`)
}

/** What to do about it, for the reasons that a user can mend. */
function advice ({ code }) {
  switch (code) {
    case 'ERR_DLOPEN_DISABLED':
      return 'addons are disabled: with the permission model run node with --allow-addons, and without --no-addons'
    case 'ERR_ACCESS_DENIED':
      return 'the permission model denies reading the addon: run node with --allow-fs-read for this package, and --allow-addons'
    default:
      return 'the native addon did not load'
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
