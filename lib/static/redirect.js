'use strict'

const { format } = require('node:url')
const encodeUrl = require('encodeurl')
const escapeHtml = require('escape-html')
const parseUrl = require('parseurl')
const { sendPage } = require('./error-page')

/** To the same URL with a slash behind its path. */
function redirectToFolder (req, res) {
  const url = parseUrl.original(req)
  url.path = null
  // Two slashes in front would name another host.
  url.pathname = `${url.pathname}/`.replace(/^\/{2,}/, '/')
  const location = encodeUrl(format(url))
  sendPage(res, 301, 'Redirecting', `Redirecting to ${escapeHtml(location)}`, { Location: location })
}

module.exports = { redirectToFolder }
