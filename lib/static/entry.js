'use strict'

// A name below a root, or a path, and what a head says of the file there. What is remembered holds for one size and
// modification time, which each request compares with those of the descriptor that it sends.

const { extname } = require('node:path')
const etag = require('etag')
const mime = require('mime-types')
const { pathBytes } = require('../open-file')
const { CODINGS } = require('./codings')

const kinds = new Map()

/** Content-Type, by the extension of a name. */
function typeOf (name) {
  const extension = extname(name)
  let type = kinds.get(extension)
  if (type === undefined) {
    type = mime.contentType(extension) || 'application/octet-stream'
    // Extensions that mean nothing come from outside, and without end.
    if (type !== 'application/octet-stream') kinds.set(extension, type)
  }
  return type
}

class Entry {
  /**
   * @param {string} name below a root, or a path where there is none
   * @param {string} path of the file system
   * @param {boolean} isGuess whether it is tried in the place of what was asked for
   * @param {string | null} coding the one that it is compressed with
   */
  constructor (name, path, isGuess = false, coding = null, type = typeOf(path)) {
    this.name = name
    this.path = path
    this.isGuess = isGuess
    this.coding = coding
    this.type = type
    /** As the addon takes it. */
    this.bytes = pathBytes(name)
    this.size = -1
    this.modified = NaN
    this.etag = ''
    this.lastModified = ''
    this.coded = null
  }

  /** The one beside it, with that coding. */
  withCoding (coding) {
    this.coded ??= {}
    const suffix = CODINGS[coding]
    return (this.coded[coding] ??= new Entry(this.name + suffix, this.path + suffix, true, coding, this.type))
  }

  /** Takes over size and time from the open file that is going to be sent. */
  describe ({ size, modified }) {
    if (size === this.size && modified === this.modified) return
    this.size = size
    this.modified = modified
    const mtime = new Date(Math.round(modified)) // as fs.Stats has it
    this.lastModified = mtime.toUTCString()
    const tag = etag({ size, mtime, ctime: mtime, ino: 0 })
    // Another representation, should it even be as long and as old.
    this.etag = this.coding === null ? tag : tag.replace(/"$/, `-${this.coding}"`)
  }
}

module.exports = { Entry }
