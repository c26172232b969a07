'use strict'

// Other versions of Node, as npm packages that are kept under node_modules/.cache.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const cache = path.join(__dirname, '..', 'node_modules', '.cache', 'node-versions')
const here = `${process.platform}-${process.arch}`

/** The folder of a Node binary of that major version, of this platform or another. */
function nodeFolder (major, platform = here) {
  const prefix = path.join(cache, platform === here ? major : `${major}-${platform}`)
  const name = `node-${platform}`
  const folder = path.join(prefix, 'node_modules', name, 'bin')
  if (!['node', 'node.exe'].some((file) => fs.existsSync(path.join(folder, file)))) {
    fs.mkdirSync(prefix, { recursive: true })
    fs.writeFileSync(path.join(prefix, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', `${name}@${major}`]
    if (platform !== here) args.push('--force')
    const { status, error } = spawnSync('npm', args, { cwd: prefix, stdio: 'inherit' })
    if (error) throw error
    if (status !== 0) throw new Error(`${name}@${major} could not be installed`)
  }
  return folder
}

module.exports = { cache, nodeFolder }
