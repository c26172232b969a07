'use strict'

const { AsyncResource } = require('node:async_hooks')
const { isAbsolute, join, normalize, resolve, sep } = require('node:path')
const createError = require('http-errors')
const { openFile } = require('../open-file')
const { Entry } = require('./entry')
const { Exchange } = require('./exchange')
const { candidatesOf, openFirst, servingError } = require('./opening')
const { fileSettings, validateExchange, validatePath } = require('./options')
const { Root } = require('./root')

/** So many roots are remembered. */
const MOST_ROOTS = 64

const roots = new Map()

/** Whatever a program names, wherever it lies. */
const anywhere = {
  open ({ path }, answer) {
    openFile(path, new AsyncResource('SENDFILEOPEN'), answer)
  }
}

function serveFile (req, res, path, options) {
  return new Promise((fulfil, reject) => {
    validateExchange(req, res)
    validatePath(path, 'path')
    const settings = fileSettings(options)
    const { root } = settings
    const entry = root === undefined ? new Entry(path, resolve(path)) : entryBelow(resolve(root), path)
    const exchange = new Exchange(req, res, settings, (err, served) => err ? reject(err) : fulfil(served))
    const candidates = candidatesOf([entry], req, res, settings)
    openFirst(root === undefined ? anywhere : rootAt(resolve(root), settings), candidates, (err, entry, file) => {
      if (err) reject(servingError(err))
      else exchange.answer(entry, file)
    })
  })
}

function entryBelow (root, path) {
  const name = normalize(`.${sep}${path}`)
  if (isAbsolute(path) || name.split(sep).includes('..')) throw createError(403)
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
