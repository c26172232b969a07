'use strict'

// Of several names the first that there is a file for; and of what lies beside it what the client prefers.

const createError = require('http-errors')
const { acceptedCodings } = require('./codings')

/**
 * @param {{ open(entry: Entry, answer: Function): void }} root
 * @param {Entry[]} entries what to try, in this order
 * @param {(err: Error | null, entry?: Entry, file?: OpenFile) => void} answer at once where nothing has to be waited
 *   for; the error is the one of the last name, or the first that is more than an absence, with its entry
 */
function openFirst (root, entries, answer, index = 0) {
  const entry = entries[index]
  root.open(entry, (err, file) => {
    if (!err) answer(null, entry, file)
    else if (index + 1 < entries.length && isAbsence(err, entry)) openFirst(root, entries, answer, index + 1)
    else answer(err, entry)
  })
}

/** Whether the next name may be what was meant. */
function isAbsence (err, { isGuess }) {
  return err.code === 'ENOENT' || (isGuess && servingError(err).statusCode < 500)
}

/**
 * The same with what was compressed beforehand: it lies beside the file, and is not older.
 * @param {string[]} codings to look for, the preferred first
 */
function openPreferred (root, entries, req, res, codings, answer) {
  const isNegotiated = codings.length > 0 && !res.hasHeader('Content-Encoding')
  if (!isNegotiated) return openFirst(root, entries, answer)
  openFirst(root, entries, (err, entry, file) => {
    if (err) answer(err, entry)
    else openCoded(root, entry, file, acceptedCodings(req, codings), answer)
  })
}

function openCoded (root, entry, file, codings, answer, index = 0) {
  if (index === codings.length) return answer(null, entry, file)
  const coded = entry.withCoding(codings[index])
  root.open(coded, (err, codedFile) => {
    if (!err && codedFile.modified >= file.modified) {
      file.close()
      answer(null, coded, codedFile)
      return
    }
    codedFile?.close()
    openCoded(root, entry, file, codings, answer, index + 1)
  })
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
  // What somebody's setHeaders throws may be no error, or one that takes no status.
  if (!(err instanceof Error && Object.isExtensible(err))) return createError(500, { cause: err })
  // A folder is there, but is no file.
  if (err.code === 'EISDIR') return createError(404, { code: err.code, cause: err })
  return createError(STATUS[err.code] ?? 500, err, { expose: false })
}

module.exports = { openPreferred, servingError }
