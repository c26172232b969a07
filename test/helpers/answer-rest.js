'use strict'

/** Answers as a framework does when nobody else can, and tells what it was called with. */
function answerRest (res, err) {
  if (res.headersSent) return res.destroy()
  res.statusCode = err ? err.status ?? 500 : 404
  for (const [name, value] of Object.entries(err?.headers ?? {})) res.setHeader(name, value)
  res.setHeader('X-Answered-By', err ? 'error' : 'next')
  res.end(err ? `${err.name}: ${err.message}` : 'nobody served this')
}

module.exports = { answerRest }
