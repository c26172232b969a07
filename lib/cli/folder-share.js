'use strict'

// A folder: its files, and listings of those folders in it that have no index.html.

const createError = require('http-errors')
const { servingError } = require('../static/opening')
const { redirectToFolder } = require('../static/redirect')
const { Root } = require('../static/root')
const { serveFile } = require('../static/serve-file')
const { openFolder } = require('./open-folder')
const { sendListing } = require('./send-listing')
const { namesOf } = require('./target')

const INDEX = 'index.html'

class FolderShare {
  constructor (path, name) {
    this.path = path
    this.name = name
    this.root = new Root(path, { symlinks: true })
    this.kind = 'folder'
    this.url = ''
  }

  /** As serveFile; also with a listing, or a redirection. */
  async answer (req, res) {
    const { names, isFolder } = namesOf(req)
    if (names.some((name) => name.startsWith('.'))) throw createError(404)
    if (isFolder) return this.answerWithFolder(req, res, names)
    try {
      return await serveFile(req, res, names.join('/'), { root: this.path })
    } catch (err) {
      if (err.code !== 'EISDIR' || res.headersSent) throw err
    }
    redirectToFolder(req, res)
  }

  async answerWithFolder (req, res, names) {
    try {
      return await serveFile(req, res, [...names, INDEX].join('/'), { root: this.path })
    } catch (err) {
      if (err.statusCode !== 404 || res.headersSent) throw err
    }
    let folder
    try {
      folder = await openFolder(this.root, names.join('/'))
      return await sendListing(req, res, folder, { title: this.name, parts: names })
    } catch (err) {
      throw res.headersSent ? err : servingError(err)
    } finally {
      await folder?.close()
    }
  }
}

module.exports = { FolderShare }
