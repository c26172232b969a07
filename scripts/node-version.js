'use strict'

// Other versions of Node, as npm packages that are kept under node_modules/.cache.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

/** The folder of a Node binary of that major version. */
function nodeFolder (major) {
  const prefix = path.join(root, 'node_modules', '.cache', 'node-versions', major)
  const name = `node-${process.platform}-${process.arch}`
  const folder = path.join(prefix, 'node_modules', name, 'bin')
  if (!fs.existsSync(path.join(folder, 'node'))) {
    fs.mkdirSync(prefix, { recursive: true })
    fs.writeFileSync(path.join(prefix, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', `${name}@${major}`]
    const { status, error } = spawnSync('npm', args, { cwd: prefix, stdio: 'inherit' })
    if (error) throw error
    if (status !== 0) throw new Error(`${name}@${major} could not be installed`)
  }
  return folder
}

module.exports = { nodeFolder }
