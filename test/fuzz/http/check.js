'use strict'

// What holds for every answer of ours, whatever was asked.

const path = require('node:path')
const { contentRangeOf, partsOf } = require('./responses')
const { FILES, SECRET } = require('./sites')

/** What the handler and Node's server answer; never 500. */
const STATUSES = new Set([200, 206, 301, 304, 400, 403, 404, 405, 408, 412, 413, 416, 417, 431])

/** The name of the file that a target stands for, as a URL says it; undefined where that is not plain. */
function nameOf (target) {
  const [pathname] = target.replace(/^[a-z]+:\/\/[^/?#]*/i, '').split(/[?#]/)
  try {
    const name = path.posix.normalize(`/${decodeURIComponent(pathname)}`).replace(/^\/+/, '')
    return name === '' || name.endsWith('/') ? `${name}index.html` : name
  } catch {
    return undefined
  }
}

/** The file whose bytes, from there, these are; or null. */
function isSlice (file, start, bytes) {
  return file !== undefined && file.subarray(start, start + bytes.length).equals(bytes)
}

/**
 * @param {Buffer} bytes all that came
 * @param {object[]} responses
 * @param {boolean} isRefused Node refused what came behind, and ended the connection wherever it was
 * @returns {{ findings: string[], verified: number }} verified: bytes of files that were compared
 */
function check (bytes, responses, rest, isRefused = false) {
  const findings = []
  let verified = 0
  if (bytes.includes(SECRET)) findings.push('bytes from outside the root')
  if (rest !== null && !isRefused) findings.push(rest)
  for (const [index, response] of responses.entries()) {
    const isLast = index === responses.length - 1
    if (response.headers.connection === 'close' && !isLast) findings.push('an answer behind the last')
    if (response.isCut && isRefused && isLast) continue
    const wrong = wrongWith(response)
    if (wrong !== null) findings.push(`${response.status} ${response.method} ${response.headers['x-target']}: ${wrong}`)
    else if (response.status < 300) verified += response.body?.length ?? 0
  }
  return { findings, verified }
}

function wrongWith (response) {
  const { status, headers, body, isCut } = response
  if (!STATUSES.has(status)) return 'a status that there is no reason for'
  if (isCut) return 'a body shorter than it was promised'
  if (status === 416) return /^bytes \*\/\d+$/.test(headers['content-range']) ? null : 'no Content-Range'
  if (status !== 200 && status !== 206) return null
  const file = FILES.get(nameOf(headers['x-target'] ?? ''))
  if (file === undefined) return 'no file has this name'
  if (body === null) return status === 200 && Number(headers['content-length']) === file.length ? null : 'another length'
  if (status === 200) return file.equals(body) ? null : 'not the file'
  const range = contentRangeOf(headers['content-range'])
  const parts = range === null ? partsOf(response) : [{ ...range, bytes: body }]
  if (parts === null) return 'neither a range nor ranges'
  const isRight = ({ start, end, size, bytes }) => {
    return size === file.length && end - start + 1 === bytes.length && end < size && isSlice(file, start, bytes)
  }
  return parts.every(isRight) ? null : 'not the ranges that it says'
}

module.exports = { check }
