'use strict'

// Names below a root where the kernel cannot be asked to keep them there: resolved, checked, opened, and checked again
// by where the file that was opened lies.

const { AsyncResource } = require('node:async_hooks')
const fs = require('node:fs')
const { constants } = require('node:os')
const { join, resolve } = require('node:path')
const { READING, adoptOpened } = require('../open-file')
const { isBelow, refusal } = require('./below')

const { EXDEV, ELOOP } = constants.errno
const { O_NOFOLLOW = 0 } = fs.constants

/**
 * @param {Root} root
 * @param {Entry} entry
 * @param {(err: Error | null, file?: OpenFile | FsFile) => void} answer called later
 */
async function openChecked ({ path, symlinks }, { name, path: wanted }, answer) {
  const resource = new AsyncResource('SENDFILEOPEN')
  let handle
  try {
    const folder = await fs.promises.realpath(path)
    // Below the folder that was found: a link in its path may be turned to another meanwhile.
    const real = await fs.promises.realpath(join(folder, name))
    if (!isBelow(folder, real)) throw refusal(EXDEV, wanted)
    if (!symlinks && real !== resolve(folder, name)) throw refusal(ELOOP, wanted)
    handle = await fs.promises.open(real, READING | O_NOFOLLOW)
    if (!isBelow(folder, await placeOf(handle, real))) throw refusal(EXDEV, wanted)
  } catch (err) {
    await handle?.close()
    // What is thrown there is no rejection of ours.
    process.nextTick(() => resource.runInAsyncScope(answer, undefined, err))
    return
  }
  adoptOpened(handle, wanted, resource, answer)
}

/** Where an open file lies: folders may have been exchanged since its name was resolved. */
async function placeOf (handle, real) {
  if (process.platform === 'linux') return fs.promises.readlink(`/proc/self/fd/${handle.fd}`)
  const [again, opened, named] = await Promise.all([
    fs.promises.realpath(real), handle.stat({ bigint: true }), fs.promises.lstat(real, { bigint: true })
  ])
  return opened.ino === named.ino && opened.dev === named.dev ? again : ''
}

module.exports = { openChecked }
