'use strict'

const { serveFile } = require('./lib/static/serve-file')
const { serveStatic } = require('./lib/static/serve-static')

exports.serveFile = serveFile
exports.serveStatic = serveStatic
