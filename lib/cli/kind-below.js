'use strict'

// What requests find: a symbolic link may lead somewhere inside, and yet be none that the kernel follows below a root,
// such as an absolute one.

const { join } = require('node:path')
const { Entry } = require('../static/entry')

/**
 * @param {Root} root
 * @param {string} name below it
 * @returns {Promise<'file' | 'folder'>} rejects where there is neither, or it may not be read
 */
function kindBelow (root, name) {
  return new Promise((resolve, reject) => {
    root.open(new Entry(name, join(root.path, name)), (err, file) => {
      file?.close()
      if (!err) resolve('file')
      else if (err.code === 'EISDIR') resolve('folder')
      else reject(err)
    })
  })
}

module.exports = { kindBelow }
