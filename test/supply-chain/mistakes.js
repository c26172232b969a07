'use strict'

// A mistake for each rule of lock.js: one that is not found would not be found in the project either.

const mistakes = {
  'a licence that is not on the list': ({ lock }) => { entry(lock, 'ms').license = 'GPL-3.0-only' },
  'a package without a checksum': ({ lock }) => { delete entry(lock, 'ms').integrity },
  'a package that is not of the registry': ({ lock }) => { entry(lock, 'ms').resolved = 'git+ssh://git@example.com/ms.git' },
  'a package that runs a script when it is installed': ({ lock }) => { entry(lock, 'ms').hasInstallScript = true },
  'the package runs a script of its own when it is installed': ({ manifest }) => { manifest.scripts.postinstall = 'true' },
  'a dependency that is no version': ({ manifest }) => { manifest.dependencies.ms = '*' },
  'dependencies of other kinds than those that are documented': ({ manifest }) => { manifest.peerDependencies = { ms: '2' } },
  'a platform whose package the lock file lacks': ({ lock }) => {
    entry(lock, 'ms').optionalDependencies = { 'ms-of-another-platform': '2.0.0' }
  },
  'package.json and the lock file do not agree': ({ manifest }) => { manifest.dependencies.another = '1.0.0' }
}

function entry (lock, name) {
  return lock.packages[`node_modules/${name}`]
}

module.exports = { mistakes }
