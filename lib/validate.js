'use strict'

const { invalidArgType, outOfRange } = require('./errors')

const MAX_DESCRIPTOR = 2 ** 31 - 1
const MAX_OFFSET = 2n ** 63n - 1n

function validateInteger (value, name, max) {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < 0 || value > max) throw outOfRange(name, `>= 0 && <= ${max}`, value)
}

/** @returns {number} */
function validateDescriptorNumber (value, name) {
  validateInteger(value, name, MAX_DESCRIPTOR)
  return value
}

/** @returns {number} */
function validateLength (value, name) {
  validateInteger(value, name, Number.MAX_SAFE_INTEGER)
  return value
}

/** @returns {number|bigint} as the addon takes it: -1 stands for the descriptor's own position */
function validateOffset (value, name) {
  if (value === null) return -1
  if (typeof value === 'bigint') {
    if (value < 0n || value > MAX_OFFSET) throw outOfRange(name, `>= 0n && <= ${MAX_OFFSET}n`, value)
    return value
  }
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number or bigint, or null', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < 0 || value >= 2 ** 63) throw outOfRange(name, `>= 0 && <= ${MAX_OFFSET}`, value)
  return value
}

function validateFunction (value, name) {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
}

module.exports = { validateDescriptorNumber, validateFunction, validateLength, validateOffset }
