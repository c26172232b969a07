'use strict'

// Opens files below a folder, and none outside of it. The folder stays a path: what it means is asked each time.

const { AsyncResource } = require('node:async_hooks')
const { constants } = require('node:os')
const { processReason } = require('../eligibility')
const { addon } = require('../binding')
const { submitOpenBeneath } = require('../environment')
const { refused } = require('../errors')
const { OpenFile, pathBytes, tryOpen } = require('../open-file')
const { openChecked } = require('./checked-path')

const { EAGAIN, ENOSYS, EPERM } = constants.errno

class Root {
  /** @param {string} path absolute */
  constructor (path, { symlinks }) {
    this.path = path
    this.symlinks = symlinks
    this.native = processReason() === null ? new addon.Root(pathBytes(path), symlinks) : null
  }

  /**
   * Opens a regular file: `answer(err, file)`, at once where nothing has to be waited for, or else later.
   * @param {Entry} entry
   */
  open (entry, answer) {
    if (this.native === null) return openChecked(this, entry, answer)
    const file = tryOpen(this.native, entry.bytes)
    if (file === -EAGAIN) this.openLater(entry, answer)
    else if (typeof file === 'number') answer(failed(file, 'open', entry))
    else answer(null, file)
  }

  openLater (entry, answer) {
    submitOpenBeneath(this.native, entry.bytes, new AsyncResource('SENDFILEOPEN'), (id, syscall) => {
      // A kernel, or the rules of a container, without openat2(2).
      if (id === -ENOSYS || id === -EPERM) openChecked(this, entry, answer)
      else if (id < 0) answer(failed(id, syscall, entry))
      else answer(null, new OpenFile(id))
    })
  }
}

function failed (errno, syscall, { path }) {
  const err = refused(errno, syscall)
  err.path = path
  return err
}

module.exports = { Root }
