'use strict'

// What several rounds say together.

function median (values) {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(values.length - 1) >> 1] + sorted[values.length >> 1]) / 2
}

function number (value, digits) {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** The median, and what it lies between. */
function spread (values, digits) {
  const text = (value) => number(value, digits)
  if (values.length === 1) return text(values[0])
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`
}

module.exports = { median, number, spread }
