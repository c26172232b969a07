'use strict'

const { invalidArgType, invalidArgValue, outOfRange } = require('./errors')
const { validateFunction } = require('./validate')

const DEFAULTS = Object.freeze({
  start: 0,
  end: Infinity,
  signal: undefined,
  endDestination: true,
  onProgress: undefined,
  fallback: true,
  zeroCopy: true
})

/** The options of transferFile, checked, with their defaults. */
function transferOptions (options) {
  if (options === undefined) return DEFAULTS
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
  const settings = { ...DEFAULTS }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw invalidArgValue(`options.${name}`, `is unknown; there are ${Object.keys(DEFAULTS).join(', ')}`, value)
    }
    if (value !== undefined) settings[name] = value
  }
  const { start, end, signal, onProgress } = settings
  validateOffset(start, 'options.start')
  if (end !== Infinity) validateOffset(end, 'options.end')
  if (start > end) throw outOfRange('options.start', `<= "options.end" (here: ${end})`, start)
  for (const name of ['endDestination', 'fallback', 'zeroCopy']) {
    if (typeof settings[name] !== 'boolean') throw invalidArgType(`options.${name}`, 'of type boolean', settings[name])
  }
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal)
  }
  if (onProgress !== undefined) validateFunction(onProgress, 'options.onProgress')
  return settings
}

function validateOffset (value, name) {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw outOfRange(name, `>= 0 && <= ${Number.MAX_SAFE_INTEGER}`, value)
  }
}

function isAbortSignal (value) {
  return typeof value === 'object' && value !== null && typeof value.aborted === 'boolean' &&
    typeof value.addEventListener === 'function' && typeof value.removeEventListener === 'function'
}

module.exports = { transferOptions }
