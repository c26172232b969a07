'use strict'

// One file, at its name and at `/`.

const createError = require('http-errors')
const { serveFile } = require('../static/serve-file')
const { contentDisposition } = require('./content-disposition')
const { namesOf } = require('./target')

class FileShare {
  constructor (path, name) {
    this.path = path
    this.name = name
    this.kind = 'file'
    this.disposition = contentDisposition(name)
  }

  /** Its URL, behind that of the server. */
  get url () {
    return encodeURIComponent(this.name)
  }

  /** As serveFile. */
  async answer (req, res) {
    const { names, isFolder } = namesOf(req)
    if (names.length > 0 && (names.length > 1 || names[0] !== this.name || isFolder)) throw createError(404)
    res.setHeader('Content-Disposition', this.disposition)
    return serveFile(req, res, this.path)
  }
}

module.exports = { FileShare }
