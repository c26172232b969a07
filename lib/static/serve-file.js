'use strict'

const { isAbsolute, join, normalize, resolve, sep } = require('node:path')
const createError = require('http-errors')
const { anywhere } = require('./anywhere')
const { Entry } = require('./entry')
const { Exchange } = require('./exchange')
const { openPreferred, servingError } = require('./opening')
const { fileSettings, validateExchange, validateName, validatePath } = require('./options')
const { Root } = require('./root')

/** So many roots are remembered. */
const MOST_ROOTS = 64

const roots = new Map()

function serveFile (req, res, path, options) {
  return new Promise((fulfil, reject) => {
    validateExchange(req, res)
    const settings = fileSettings(options)
    const { root } = settings
    if (root === undefined) validatePath(path, 'path')
    else validateName(path, 'path')
    const entry = root === undefined ? new Entry(resolve(path), resolve(path)) : entryBelow(resolve(root), path)
    const exchange = new Exchange(req, res, settings, (err, served) => err ? reject(err) : fulfil(served))
    const from = root === undefined ? anywhere : rootAt(resolve(root), settings)
    openPreferred(from, [entry], req, res, settings.codings, (err, entry, file) => {
      if (err) reject(servingError(err))
      else exchange.answer(entry, file)
    })
  })
}

/** A name may come from outside: what is wrong with it is the client's error. */
function entryBelow (root, path) {
  if (path.includes('\0') || /\p{Surrogate}/u.test(path)) throw createError(400)
  if (isAbsolute(path) || path.split(/[\\/]/).includes('..')) throw createError(403)
  const name = normalize(`.${sep}${path}`)
  return new Entry(name, join(root, name))
}

function rootAt (path, settings) {
  const key = `${settings.symlinks} ${path}`
  let root = roots.get(key)
  if (root === undefined) {
    if (roots.size === MOST_ROOTS) roots.delete(roots.keys().next().value)
    root = new Root(path, settings)
    roots.set(key, root)
  }
  return root
}

module.exports = { serveFile }
