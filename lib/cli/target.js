'use strict'

const createError = require('http-errors')
const parseUrl = require('parseurl')

/**
 * What the path of a request's URL names, part by part; none of them leads up.
 * @returns {{ names: string[], isFolder: boolean }}
 * @throws {ServeError}
 */
function namesOf (req) {
  let decoded
  try {
    decoded = decodeURIComponent(parseUrl(req)?.pathname ?? '/')
  } catch { // no URL, or no UTF-8
    throw createError(400)
  }
  if (decoded.includes('\0')) throw createError(400)
  const names = decoded.split('/').filter((name) => name !== '' && name !== '.')
  if (names.some((name) => name === '..' || /[\\/]\.\.(?:[\\/]|$)|^\.\.[\\/]/.test(name))) throw createError(403)
  return { names, isFolder: /(?:^|\/)\.?$/.test(decoded) }
}

module.exports = { namesOf }
