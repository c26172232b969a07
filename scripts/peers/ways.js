'use strict'

// The ways in which a suite is run besides as it is: what is put under it, and which of its tests may then fail.

const path = require('node:path')
const { expectedToFail } = require('./static-differences')

/**
 * @param {object} suite as `suiteOf` says
 * @param {{ register: string, folder: string | null }} own the register, and the folder of the package, if there is one
 * @returns {{ name: string, title: string, env: object, expected: string[], mustServe: boolean }[]}
 */
function waysOf (suite, { register, folder }) {
  const ways = [{
    name: 'with',
    title: suite.name,
    env: { NODE_OPTIONS: `--require "${register}"`, SENDFILE_NATIVE_DEBUG: '1' },
    expected: [],
    mustServe: false
  }]
  if (folder === null || suite.serveStatic === undefined) return ways
  const env = {
    NODE_OPTIONS: `--require "${path.join(__dirname, 'static-register.js')}"`,
    PEERS_INSTEAD_OF: suite.serveStatic(suite.folder),
    PEERS_PACKAGE: folder
  }
  const title = `${suite.name} with serveStatic`
  const serving = (name, { title, env, off }) => {
    return { name, title, env, expected: expectedToFail(suite, { off }), mustServe: true }
  }
  return [
    ...ways,
    serving('static', { title, env, off: false }),
    serving('static-off', { title: `${title}, off`, env: { ...env, SENDFILE_NATIVE: 'off' }, off: true })
  ]
}

module.exports = { waysOf }
