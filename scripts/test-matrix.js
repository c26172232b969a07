'use strict'

// Runs the JavaScript suite on other versions of Node, with the addon as it is built: npm run test:matrix

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { nodeFolder } = require('./node-version')

const root = path.join(__dirname, '..')

function run (file, args, options) {
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  return status
}

const failed = []
for (const major of process.argv.slice(2)) {
  const folder = nodeFolder(major)
  const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}` }
  console.log(`\n# Node ${spawnSync(path.join(folder, 'node'), ['--version'], { encoding: 'utf8' }).stdout}`)
  if (run('npm', ['run', 'test:js'], { env }) !== 0) failed.push(major)
}
console.log(failed.length ? `\nfailed on Node ${failed.join(', ')}` : '\npassed on every version')
process.exit(failed.length ? 1 : 0)
