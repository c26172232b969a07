'use strict'

// Runs the JavaScript suite on other versions of Node, with the addon as it is built: npm run test:matrix
// The binaries are npm packages, kept under node_modules/.cache.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

function run (file, args, options) {
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  return status
}

/** The folder of a Node binary of that major version. */
function install (major) {
  const prefix = path.join(root, 'node_modules', '.cache', 'node-versions', major)
  const name = `node-${process.platform}-${process.arch}`
  const folder = path.join(prefix, 'node_modules', name, 'bin')
  if (!fs.existsSync(path.join(folder, 'node'))) {
    fs.mkdirSync(prefix, { recursive: true })
    fs.writeFileSync(path.join(prefix, 'package.json'), '{"private":true}')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', `${name}@${major}`]
    if (run('npm', args, { cwd: prefix }) !== 0) throw new Error(`${name}@${major} could not be installed`)
  }
  return folder
}

const failed = []
for (const major of process.argv.slice(2)) {
  const folder = install(major)
  const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}` }
  console.log(`\n# Node ${spawnSync(path.join(folder, 'node'), ['--version'], { encoding: 'utf8' }).stdout}`)
  if (run('npm', ['run', 'test:js'], { env }) !== 0) failed.push(major)
}
console.log(failed.length ? `\nfailed on Node ${failed.join(', ')}` : '\npassed on every version')
process.exit(failed.length ? 1 : 0)
