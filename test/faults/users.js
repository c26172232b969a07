'use strict'

// Who the servers run as: whoever runs this, and where that is root also somebody who owns nothing.

const { spawnSync } = require('node:child_process')
const { root } = require('../helpers')

const NOBODY = 65534

/** @param {(text: string) => void} note told why there is nobody else */
function usersOf (note) {
  const self = { name: process.geteuid() === 0 ? 'root' : 'who runs this', uid: undefined }
  if (process.geteuid() !== 0) {
    note('nothing as another user: only root can do that')
    return [self]
  }
  const options = { cwd: root, uid: NOBODY, gid: NOBODY }
  if (spawnSync(process.execPath, ['-e', 'require("sendfile-native")'], options).status !== 0) {
    note('nothing as another user, who may not read the repository')
    return [self]
  }
  return [self, { name: 'nobody', uid: NOBODY }]
}

module.exports = { usersOf }
