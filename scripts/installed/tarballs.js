'use strict'

// The package and what it depends on, packed from what lies here, so that nothing is asked of a registry.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

const ADDONS = ['x64-gnu', 'arm64-gnu', 'x64-musl', 'arm64-musl'].map((target) => `sendfile-native.linux-${target}.node`)

function pack (npm, folder, sources) {
  fs.mkdirSync(folder)
  const args = [npm, 'pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder, ...sources]
  const { status, stderr, error } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`npm pack ended with ${error?.message ?? status}: ${stderr}`)
  return fs.readdirSync(folder).map((file) => path.join(folder, file))
}

/** The package, with the addons of `npm run prebuild`. */
function packPackage (npm, folder) {
  const missing = ADDONS.filter((addon) => !fs.existsSync(path.join(root, 'prebuilds', addon)))
  if (missing.length > 0) throw new Error(`prebuilds/ has no ${missing.join(', ')}: npm run prebuild makes them`)
  return pack(npm, folder, ['.'])[0]
}

/** All that is installed with it, as it is installed here. */
function packDependencies (npm, folder) {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'))
  const names = Object.keys(packages).filter((name) => name.startsWith('node_modules/') && !packages[name].dev)
  return pack(npm, folder, names.map((name) => `./${name}`))
}

module.exports = { packDependencies, packPackage }
