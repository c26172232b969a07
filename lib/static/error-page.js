'use strict'

const { STATUS_CODES } = require('node:http')
const escapeHtml = require('escape-html')

/** A whole HTML answer, as send makes them. */
function sendPage (res, status, title, body, headers) {
  const page = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    `<title>${title}</title>\n</head>\n<body>\n<pre>${body}</pre>\n</body>\n</html>\n`
  res.statusCode = status
  res.statusMessage = undefined // of a head that could not be made
  res.setHeader('Content-Type', 'text/html; charset=UTF-8')
  res.setHeader('Content-Length', Buffer.byteLength(page))
  res.setHeader('Content-Security-Policy', 'default-src \'none\'')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(page)
}

/** What nobody else answers. */
function answerError (res, err) {
  if (res.headersSent) return
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  sendPage(res, err.statusCode, 'Error', escapeHtml(STATUS_CODES[err.statusCode]), err.headers ?? {})
}

module.exports = { answerError, sendPage }
