'use strict'

// The native helpers of the tests: built by `npm run test:js`, loaded straight from the target folder.

const path = require('node:path')

const library = { exports: {} }
process.dlopen(library, path.join(__dirname, '..', '..', 'target', 'debug', 'libtestkit.so'))

module.exports = library.exports
