'use strict'

const { resolve } = require('node:path')
const createError = require('http-errors')
const parseUrl = require('parseurl')
const { anywhere } = require('./anywhere')
const { isClientGone } = require('./client-gone')
const { Entry } = require('./entry')
const { answerError } = require('./error-page')
const { Exchange } = require('./exchange')
const { openPreferred, servingError } = require('./opening')
const { staticSettings, validatePath } = require('./options')
const { redirectToFolder } = require('./redirect')
const { Root } = require('./root')
const { Targets } = require('./target')

function serveStatic (root, options) {
  validatePath(root, 'root')
  const settings = staticSettings(options)
  const path = resolve(root)
  const site = { settings, path, root: new Root(path, settings), targets: new Targets(path, settings) }
  return function serveStatic (req, res, next) {
    if (req.method === 'GET' || req.method === 'HEAD') serve(site, req, res, next)
    else if (settings.fallthrough && next) next()
    else methodNotAllowed(res)
  }
}

function serve (site, req, res, next) {
  const { settings, root, targets } = site
  const path = pathOf(req)
  if (path === null) return refuse(createError(400), settings, res, next)
  const target = targets.of(path)
  if (target.status !== 200) return refuse(createError(target.status), settings, res, next)
  const exchange = new Exchange(req, res, settings, (err) => {
    if (err) failed(err, res, next)
  })
  const answer = (err, entry, file) => {
    if (!err) exchange.answer(entry, file)
    else if (settings.redirect && lacksSlash(err, entry, target) && !res.headersSent) redirectToFolder(req, res)
    else refuse(servingError(err), settings, res, next)
  }
  openPreferred(root, target.entries, req, res, settings.codings, (err, ...opened) => {
    if (path === '' && err?.code === 'ENOTDIR') openRoot(site, req, res, answer)
    else answer(err, ...opened)
  })
}

/** The root that was given is a file, and the handler is mounted at its URL. */
function openRoot ({ settings, path }, req, res, answer) {
  openPreferred(anywhere, [new Entry(path, path)], req, res, settings.codings, answer)
}

/** Whether what was asked for by name is a folder, and was asked for as a file. */
function lacksSlash (err, { isGuess }, { isFolder }) {
  return err.code === 'EISDIR' && !isGuess && !isFolder
}

/**
 * The path of the URL; nothing, where a folder that a handler is mounted at was asked for without a slash.
 * @returns {string | null} null for what is no URL
 */
function pathOf (req) {
  try {
    const { pathname } = parseUrl(req)
    const original = parseUrl.original(req)
    const isMountPoint = pathname === '/' && !original.pathname.endsWith('/')
    return isMountPoint ? '' : pathname ?? ''
  } catch { // such as "http://[" in the place of a path
    return null
  }
}

/** There is no file to be sent. */
function refuse (err, { fallthrough }, res, next) {
  if (!next) answerError(res, err)
  else if (fallthrough && err.statusCode < 500) next()
  else next(err)
}

/** There is one, but something is the matter. */
function failed (err, res, next) {
  if (isClientGone(err)) return
  // As send: also for who answers without looking at the error.
  if (!res.headersSent) for (const [name, value] of Object.entries(err.headers ?? {})) res.setHeader(name, value)
  if (next) next(err)
  else if (!res.headersSent) answerError(res, servingError(err))
  else if (!res.writableEnded) res.destroy() // whoever began it does not go on
}

function methodNotAllowed (res) {
  res.statusCode = 405
  res.setHeader('Allow', 'GET, HEAD')
  res.setHeader('Content-Length', '0')
  res.end()
}

module.exports = { serveStatic }
