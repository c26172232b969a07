'use strict'

// How a program names its file: `argument` and `options` for createReadStream, and the descriptor behind them.

const fs = require('node:fs')
const { pathToFileURL } = require('node:url')

/** @returns {Promise<{ argument: unknown, options: object, fd?: number, handle?: fs.promises.FileHandle }>} */
async function sourceOf (program, path) {
  const { source } = program
  const options = { ...source.options }
  const skipped = (fd) => {
    // Read from, as somebody who looks at the head of a file does.
    if (source.skip > 0) fs.readSync(fd, Buffer.alloc(source.skip), 0, source.skip, null)
  }
  if (source.customFs) options.fs = customFs()
  switch (source.from) {
    case 'buffer': return { argument: Buffer.from(path), options }
    case 'url': return { argument: pathToFileURL(path), options }
    case 'missing': return { argument: `${path}.missing`, options }
    case 'closedFd': return { argument: null, options: { ...options, fd: 1_000_000 } }
    case 'fd': {
      const fd = fs.openSync(path)
      skipped(fd)
      return { argument: null, options: { ...options, fd }, fd }
    }
    case 'handle': {
      const handle = await fs.promises.open(path)
      skipped(handle.fd)
      return { argument: null, options: { ...options, fd: handle }, fd: handle.fd, handle }
    }
    default: return { argument: path, options }
  }
}

/** The same functions, as somebody's own. */
function customFs () {
  return {
    open: (...args) => fs.open(...args),
    read: (...args) => fs.read(...args),
    close: (...args) => fs.close(...args)
  }
}

/** The numbers of descriptors that are open on this file. */
function openOn (path) {
  return fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch (err) {
      if (err.code !== 'ENOENT') throw err // the one that listed the folder
      return false
    }
  }).map(Number)
}

/** Where a descriptor stands. */
function positionOf (fd) {
  return Number(/^pos:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))[1])
}

module.exports = { openOn, positionOf, sourceOf }
