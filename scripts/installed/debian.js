'use strict'

// The files of Debian packages for an architecture, in a folder of their own: nothing of this machine is changed.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { cache } = require('../node-version')

/** Debian 13, the first whose musl is new enough. */
const SUITE = 'trixie'

function run (file, args, options) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', ...options })
  if (error || status !== 0) throw new Error(`${file} ended with ${error?.message ?? status}: ${stderr}`)
  return stdout
}

/** Where this machine has its packages of Debian from. */
function mirror () {
  if (!/^ID=debian$/m.test(fs.readFileSync('/etc/os-release', 'utf8'))) throw new Error('its packages are had on Debian')
  const [uri] = run('apt-get', ['indextargets', '--format', '$(REPO_URI)']).split('\n').filter((line) => !/security/.test(line))
  if (!uri) throw new Error('apt-get update has not been run')
  return uri
}

/**
 * @param {string} arch as Debian names it
 * @param {string[]} packages
 * @returns {string} a folder with `usr` and `lib`
 */
function debianRoot (arch, packages) {
  const folder = path.join(cache, `${SUITE}-${arch}-${packages.join('-')}`)
  const root = path.join(folder, 'root')
  if (fs.existsSync(root)) return root
  fs.rmSync(folder, { recursive: true, force: true })
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'debs', 'made/usr/lib']) {
    fs.mkdirSync(path.join(folder, part), { recursive: true })
  }
  fs.writeFileSync(path.join(folder, 'status'), '')
  fs.writeFileSync(path.join(folder, 'sources.list'), `deb ${mirror()} ${SUITE} main\n`)
  const settings = Object.entries({
    'APT::Architecture': arch,
    'APT::Architectures': arch,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Dir::State': path.join(folder, 'state'),
    'Dir::State::status': path.join(folder, 'status'),
    'Dir::Cache': path.join(folder, 'cache'),
    'Dir::Etc::sourcelist': path.join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-'
  }).map(([name, value]) => `-o${name}=${value}`)
  const debs = path.join(folder, 'debs')
  run('apt-get', [...settings, 'update'])
  run('apt-get', [...settings, 'download', ...packages], { cwd: debs })
  const made = path.join(folder, 'made')
  fs.symlinkSync('usr/lib', path.join(made, 'lib'))
  for (const deb of fs.readdirSync(debs)) run('dpkg-deb', ['-x', path.join(debs, deb), made])
  fs.renameSync(made, root) // whole, or not there
  return root
}

module.exports = { debianRoot, run }
