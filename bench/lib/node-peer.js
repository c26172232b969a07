'use strict'

// A server that is a module: what bench/servers has of those that run in Node.

const path = require('node:path')
const { root, start } = require('./program')

const host = path.join(__dirname, 'node-host.js')

/** Whether a package, or a part of one, is installed. */
function isInstalled (name) {
  try {
    return Boolean(require.resolve(name, { paths: [root] }))
  } catch {
    return false
  }
}

/**
 * @param {string} file of the server itself
 * @param {{ title: string, needs?: string[], options?: string[], serve: (folder: string) => http.Server }} peer
 *   `needs` is what it requires, `options` are Node's
 */
function nodePeer (file, { title, needs = [], options = [], serve }) {
  return {
    title,
    serve,
    missing: () => needs.filter((name) => !isInstalled(name)).map((name) => `there is no ${name}`)[0] ?? '',
    start: (folder) => start(process.execPath, ['--expose-gc', ...options, host, file, folder], { isNode: true })
  }
}

module.exports = { nodePeer }
