'use strict'

// Licences that packages may have. Those of crates that are part of the addon are in deny.toml, which cargo-deny reads.

const satisfies = require('spdx-satisfies')

/** Of what is installed with the package. */
const RUNTIME = ['Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

/** Of what only builds and tests it: none that asks for more than its notice. */
const DEVELOPMENT = [...RUNTIME, '0BSD', 'BlueOak-1.0.0', 'CC-BY-3.0', 'CC0-1.0', 'PSF-2.0', 'Unlicense']

/** @param {string | undefined} expression of SPDX */
function isAllowed (expression, isDevelopment) {
  try {
    return satisfies(expression, isDevelopment ? DEVELOPMENT : RUNTIME)
  } catch {
    return false // no expression at all, or one that nobody knows
  }
}

module.exports = { isAllowed }
