'use strict'

// What the command names: a folder, or one file.

const fs = require('node:fs')
const { basename, resolve } = require('node:path')
const { UsageError } = require('./arguments')
const { FileShare } = require('./file-share')
const { FolderShare } = require('./folder-share')
const { printable } = require('./printable')

const WHY = { EACCES: 'may not be read', ENOENT: 'does not exist', ENOTDIR: 'does not exist' }

/**
 * @param {string} given
 * @returns {FileShare | FolderShare}
 * @throws {UsageError} where it is neither, or cannot be read
 */
function shareOf (given) {
  const path = resolve(given)
  try {
    const stat = fs.statSync(path)
    if (!stat.isDirectory() && !stat.isFile()) {
      throw new UsageError(`'${printable(given)}' is neither a folder nor a regular file`)
    }
    fs.accessSync(path, fs.constants.R_OK | (stat.isDirectory() ? fs.constants.X_OK : 0))
    return stat.isDirectory() ? new FolderShare(path, basename(path)) : new FileShare(path, basename(path))
  } catch (err) {
    if (err instanceof UsageError) throw err
    throw new UsageError(`'${printable(given)}' ${WHY[err.code] ?? `cannot be shared: ${err.code}`}`)
  }
}

module.exports = { shareOf }
