'use strict'

// What the published package has, addons apart, a name a line. test/fixtures/package-files.txt is what it is to have:
// npm run package:files -- --write

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const LIST = path.join(root, 'test', 'fixtures', 'package-files.txt')

/** As npm packs it now: `{ path, size }` each. */
function packedFiles () {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout, status, error } = spawnSync('npm', args, { cwd: root, encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`npm pack ended with ${error?.message ?? status}`)
  const answer = JSON.parse(stdout)
  const [{ files }] = Array.isArray(answer) ? answer : Object.values(answer)
  return files
}

/** Those that `packedFiles` found, but for the addons, which are built elsewhere. */
function listOf (files) {
  const names = files.map(({ path }) => path).filter((name) => !name.startsWith('prebuilds/'))
  return `${names.sort().join('\n')}\n`
}

if (require.main === module) {
  const list = listOf(packedFiles())
  if (process.argv.includes('--write')) fs.writeFileSync(LIST, list)
  else process.stdout.write(list)
}

module.exports = { LIST, listOf, packedFiles }
