'use strict'

const { register, unregister } = require('./lib/register')

register()

module.exports = { register, unregister }
