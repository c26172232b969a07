'use strict'

// From the path of a URL to names below the root.

const { extname, join, normalize, sep } = require('node:path')
const { Entry } = require('./entry')

/** So many URLs are remembered, none of them longer than that. */
const MOST_TARGETS = 2048
const LONGEST_URL = 256

const LEADS_UP = /(?:^|[\\/])\.\.(?:[\\/]|$)/

/** What the path of a URL stands for. */
class Target {
  /**
   * @param {number} status 200, or why there is nothing to open
   * @param {Entry[]} entries what to try, in this order
   * @param {boolean} isFolder whether the path ends with a slash
   */
  constructor (status, entries, isFolder) {
    this.status = status
    this.entries = entries
    this.isFolder = isFolder
  }
}

class Targets {
  /** @param {string} root absolute */
  constructor (root, settings) {
    this.root = root
    this.settings = settings
    this.known = new Map()
  }

  /**
   * @param {string} pathname undecoded
   * @returns {Target}
   */
  of (pathname) {
    let target = this.known.get(pathname)
    if (target !== undefined) return target
    target = this.resolve(pathname)
    if (pathname.length > LONGEST_URL) return target
    if (this.known.size === MOST_TARGETS) this.known.delete(this.known.keys().next().value)
    this.known.set(pathname, target)
    return target
  }

  resolve (pathname) {
    const { dotfiles, extensions, index } = this.settings
    const isFolder = pathname.endsWith('/')
    const decoded = decode(pathname)
    if (decoded === null || decoded.includes('\0')) return new Target(400, [], isFolder)
    const path = normalize(`.${sep}${decoded}`)
    if (LEADS_UP.test(path)) return new Target(403, [], isFolder)
    if (dotfiles !== 'allow' && path.split(sep).some((part) => part.length > 1 && part.startsWith('.'))) {
      return new Target(dotfiles === 'deny' ? 403 : 404, [], isFolder)
    }
    if (isFolder && index.length > 0) {
      return new Target(200, index.map((name) => this.entry(join(path, name), true)), true)
    }
    const guesses = extname(path) === '' && !path.endsWith(sep) ? extensions : []
    const entries = guesses.map((extension) => this.entry(`${path}.${extension}`, true))
    return new Target(200, [this.entry(path, false), ...entries], isFolder)
  }

  /** @param {boolean} isGuess whether it is not what was asked for by name */
  entry (name, isGuess) {
    return new Entry(name, join(this.root, name), isGuess)
  }
}

function decode (pathname) {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return null
  }
}

module.exports = { Targets }
