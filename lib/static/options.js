'use strict'

const ms = require('ms')
const { invalidArgType, invalidArgValue, outOfRange } = require('../errors')
const { validateFunction } = require('../validate')
const { CODINGS } = require('./codings')

const YEAR_MS = 365 * 24 * 60 * 60 * 1000

const COMMON = Object.freeze({
  acceptRanges: true,
  cacheControl: true,
  etag: true,
  immutable: false,
  lastModified: true,
  maxAge: 0,
  precompressed: false,
  setHeaders: undefined,
  symlinks: true
})

const OF_FILE = Object.freeze({ ...COMMON, root: undefined })

const OF_STATIC = Object.freeze({
  ...COMMON,
  dotfiles: 'ignore',
  extensions: false,
  fallthrough: true,
  index: 'index.html',
  redirect: true
})

/** Those that are true or false, and nothing else. */
const FLAGS = ['acceptRanges', 'cacheControl', 'etag', 'fallthrough', 'immutable', 'lastModified', 'redirect', 'symlinks']

/** Options with their defaults, checked, and as they are used. */
function settingsOf (options, defaults) {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
  const settings = { ...defaults }
  // Those that an object inherits are its own, too, as in serve-static.
  for (const name in options) {
    const value = options[name]
    const known = name === 'maxage' ? 'maxAge' : name
    if (!Object.hasOwn(defaults, known)) {
      throw invalidArgValue(`options.${name}`, `is unknown; there are ${Object.keys(defaults).join(', ')}`, value)
    }
    if (value !== undefined) settings[known] = value
  }
  for (const name of FLAGS) {
    if (name in defaults) validateBoolean(settings[name], `options.${name}`)
  }
  if (settings.setHeaders !== undefined) validateFunction(settings.setHeaders, 'options.setHeaders')
  settings.cacheControl = settings.cacheControl ? cacheControl(settings) : null
  settings.codings = codingsOf(settings.precompressed)
  return settings
}

/** @param {object} [options] those of serveFile */
function fileSettings (options = {}) {
  const settings = settingsOf(options, OF_FILE)
  const { root } = settings
  if (root !== undefined) validatePath(root, 'options.root')
  return settings
}

/** @param {object} [options] those of serveStatic */
function staticSettings (options) {
  const settings = settingsOf(options ?? {}, OF_STATIC)
  settings.index = namesOf(settings.index, 'options.index')
  settings.extensions = namesOf(settings.extensions, 'options.extensions')
  if (!['allow', 'deny', 'ignore'].includes(settings.dotfiles)) {
    throw invalidArgValue('options.dotfiles', 'must be one of \'allow\', \'deny\', \'ignore\'', settings.dotfiles)
  }
  return settings
}

function cacheControl ({ maxAge, immutable }) {
  const age = typeof maxAge === 'string' ? ms(maxAge || '?') : maxAge
  if (age === undefined) throw invalidArgValue('options.maxAge', 'must be a time such as \'1 day\'', maxAge)
  if (typeof age !== 'number') throw invalidArgType('options.maxAge', 'of type number or string', maxAge)
  if (!(age >= 0)) throw outOfRange('options.maxAge', '>= 0', maxAge)
  return `public, max-age=${Math.floor(Math.min(age, YEAR_MS) / 1000)}${immutable ? ', immutable' : ''}`
}

/** The codings to look for, the preferred first. */
function codingsOf (precompressed) {
  if (typeof precompressed === 'boolean') return precompressed ? Object.keys(CODINGS) : []
  if (!Array.isArray(precompressed)) {
    throw invalidArgType('options.precompressed', 'of type boolean or an instance of Array', precompressed)
  }
  for (const coding of precompressed) {
    if (!Object.hasOwn(CODINGS, coding)) {
      throw invalidArgValue('options.precompressed', `must be of ${Object.keys(CODINGS).join(', ')}`, coding)
    }
  }
  return [...precompressed]
}

/** What serve-static takes for `index` and `extensions`. */
function namesOf (value, option) {
  const names = value === false || value === null ? [] : [value].flat()
  for (const name of names) {
    if (typeof name !== 'string') throw invalidArgType(option, 'of type string, an array of strings, or false', value)
    if (name.includes('\0')) throw invalidArgValue(option, 'must be without null bytes', value)
  }
  return names.filter((name) => name !== '')
}

function validateBoolean (value, name) {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
}

function validateName (value, name) {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
}

function validatePath (value, name) {
  validateName(value, name)
  if (value === '') throw invalidArgValue(name, 'must not be empty', value)
  if (value.includes('\0')) throw invalidArgValue(name, 'must be a string without null bytes', value)
}

function validateExchange (req, res) {
  if (typeof req?.headers !== 'object') {
    throw invalidArgType('req', 'an instance of http.IncomingMessage or http2.Http2ServerRequest', req)
  }
  if (typeof res?.writeHead !== 'function') {
    throw invalidArgType('res', 'an instance of http.ServerResponse or http2.Http2ServerResponse', res)
  }
}

module.exports = { fileSettings, staticSettings, validateExchange, validateName, validatePath }
