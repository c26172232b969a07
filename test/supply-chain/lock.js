'use strict'

// What package.json and package-lock.json say by themselves: each rule takes both, and returns its violations.

const { isAllowed } = require('./allowed')

/** Scripts that npm runs where the package is installed. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

/** Others that npm runs by itself: of these the package has one, which builds in a checkout. */
const LIFECYCLE = [
  ...INSTALL_SCRIPTS, 'prepublish', 'preprepare', 'postprepare', 'prepublishOnly', 'prepack', 'postpack', 'dependencies'
]

/** @returns {[string, object][]} names and entries of all packages but the project itself */
function packagesOf (lock) {
  return Object.entries(lock.packages).filter(([place]) => place !== '').map(([place, entry]) => {
    return [place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length), entry]
  })
}

const rules = {
  'a licence that is not on the list': ({ lock }) => packagesOf(lock)
    .filter(([, { license, dev }]) => !isAllowed(license, dev))
    .map(([name, { license }]) => `${name}: ${license}`),

  'a package without a checksum': ({ lock }) => packagesOf(lock)
    .filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? ''))
    .map(([name]) => name),

  'a package that is not of the registry': ({ lock }) => packagesOf(lock)
    .filter(([, { link, resolved = 'https://registry.npmjs.org/' }]) => link || !resolved.startsWith('https://registry.npmjs.org/'))
    .map(([name, { resolved }]) => `${name}: ${resolved}`),

  'a package that runs a script when it is installed': ({ lock }) => packagesOf(lock)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([name]) => name),

  'the package runs a script of its own when it is installed': ({ manifest }) => {
    return LIFECYCLE.filter((name) => manifest.scripts?.[name] !== undefined)
  },

  'a dependency that is no version': ({ manifest }) => {
    return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
      .filter(([, range]) => !/^[\^~]?\d+\.\d+\.\d+$/.test(range))
      .map(([name, range]) => `${name}: ${range}`)
  },

  'dependencies of other kinds than those that are documented': ({ manifest }) => {
    return ['optionalDependencies', 'peerDependencies', 'bundleDependencies', 'bundledDependencies']
      .filter((kind) => manifest[kind] !== undefined)
  },

  'a platform whose package the lock file lacks': ({ lock }) => packagesOf(lock).flatMap(([name, { optionalDependencies = {} }]) => {
    const known = new Set(packagesOf(lock).map(([name]) => name))
    return Object.keys(optionalDependencies).filter((other) => !known.has(other)).map((other) => `${name}: ${other}`)
  }),

  'package.json and the lock file do not agree': ({ manifest, lock }) => {
    return ['dependencies', 'devDependencies']
      .filter((kind) => JSON.stringify(sorted(manifest[kind])) !== JSON.stringify(sorted(lock.packages[''][kind])))
  }
}

function sorted (object = {}) {
  return Object.entries(object).sort(([a], [b]) => a < b ? -1 : 1)
}

/** Packages that are installed with the package, and what is told of each. */
function runtimePackages (lock) {
  return packagesOf(lock).filter(([, { dev, devOptional }]) => !dev && !devOptional)
    .map(([name, { version, license }]) => ({ name, version, license }))
}

module.exports = { INSTALL_SCRIPTS, packagesOf, rules, runtimePackages }
