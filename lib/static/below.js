'use strict'

// Where a path lies, and how it is told that it lies elsewhere.

const { sep } = require('node:path')
const { systemError } = require('../errors')

/** Whether a path is a folder's, or lies below it; both resolved. */
function isBelow (folder, path) {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

/** @param {number} errno positive: what the kernel would have answered */
function refusal (errno, path) {
  return Object.assign(systemError(-errno, 'open'), { path })
}

module.exports = { isBelow, refusal }
