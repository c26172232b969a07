'use strict'

module.exports = { differences: [] }
