'use strict'

const { sendfileAsync } = require('./lib/sendfile')

module.exports = { sendfile: sendfileAsync }
