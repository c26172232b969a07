'use strict'

// Of several names the first that there is a file for.

const createError = require('http-errors')
const { acceptedCodings } = require('./codings')

/** What is tried, in this order: each with the codings that the client prefers before it. */
function candidatesOf (entries, req, res, { codings }) {
  if (codings.length === 0 || res.hasHeader('Content-Encoding')) return entries
  const accepted = acceptedCodings(req, codings)
  if (accepted.length === 0) return entries
  return entries.flatMap((entry) => [...accepted.map((coding) => entry.withCoding(coding)), entry])
}

/**
 * @param {{ open(entry: Entry, answer: Function): void }} root
 * @param {(err: Error | null, entry?: Entry, file?: OpenFile) => void} answer at once where nothing has to be waited
 *   for; the error is the one of the last name, or the first that is more than an absence
 */
function openFirst (root, candidates, answer, index = 0) {
  const entry = candidates[index]
  root.open(entry, (err, file) => {
    if (!err) answer(null, entry, file)
    else if (index + 1 < candidates.length && isAbsence(err, entry)) openFirst(root, candidates, answer, index + 1)
    else answer(err)
  })
}

/** Whether the next name may be what was meant. */
function isAbsence (err, { isGuess }) {
  return err.code === 'ENOENT' || (isGuess && servingError(err).statusCode < 500)
}

const STATUS = {
  EACCES: 403,
  EINVAL: 404,
  EISDIR: 404,
  ELOOP: 404,
  ENAMETOOLONG: 404,
  ENOENT: 404,
  ENOTDIR: 404,
  ENXIO: 404,
  EPERM: 403,
  EXDEV: 404
}

/** A system's error as http-errors makes them. */
function servingError (err) {
  if (err.statusCode !== undefined) return err
  return createError(STATUS[err.code] ?? 500, err, { expose: false })
}

module.exports = { candidatesOf, openFirst, servingError }
