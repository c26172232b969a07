'use strict'

const { openPath } = require('../open-file')

/** Whatever a program names, wherever it lies. */
const anywhere = {
  open ({ path, bytes }, answer) {
    openPath(path, bytes, null, answer)
  }
}

module.exports = { anywhere }
