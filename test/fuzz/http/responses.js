'use strict'

// What came back on a connection, taken apart.

/**
 * @param {Buffer} bytes
 * @returns {{ responses: object[], rest: string | null }} rest: why what is left is no response, or null
 */
function responsesOf (bytes) {
  const responses = []
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at)
    const head = bytes.toString('latin1', at, end === -1 ? bytes.length : end)
    const [line, ...fields] = head.split('\r\n')
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1]
    if (end === -1 || status === undefined) return { responses, rest: `no head: ${JSON.stringify(head.slice(0, 120))}` }
    const headers = {}
    for (const field of fields) {
      const colon = field.indexOf(':')
      const name = field.slice(0, colon).toLowerCase()
      headers[name] = name in headers ? `${headers[name]}, ${field.slice(colon + 1).trim()}` : field.slice(colon + 1).trim()
    }
    const response = { status: Number(status), headers, method: headers['x-method'] ?? '', body: null, isCut: false }
    const hasBody = response.status >= 200 && response.status !== 204 && response.status !== 304 && response.method !== 'HEAD'
    at = end + 4
    if (hasBody) at = takeBody(response, bytes, at)
    if (response.status >= 200) responses.push(response)
  }
  return { responses, rest: null }
}

function takeBody (response, bytes, from) {
  const { headers } = response
  if (headers['transfer-encoding'] === 'chunked') return takeChunks(response, bytes, from)
  const length = headers['content-length'] === undefined ? bytes.length - from : Number(headers['content-length'])
  response.body = bytes.subarray(from, from + length)
  response.isCut = response.body.length < length
  return from + response.body.length
}

function takeChunks (response, bytes, from) {
  const chunks = []
  for (let at = from; ;) {
    const end = bytes.indexOf('\r\n', at)
    const length = parseInt(bytes.toString('latin1', at, end), 16)
    response.body = Buffer.concat(chunks)
    if (end === -1 || Number.isNaN(length)) {
      response.isCut = true
      return bytes.length
    }
    if (length === 0) return end + 4
    chunks.push(bytes.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
}

/** Content-Range: `{ start, end, size }`. */
function contentRangeOf (text) {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(text ?? '') ?? []
  return start === undefined ? null : { start: Number(start), end: Number(end), size: Number(size) }
}

/** The parts of a multipart/byteranges body, or null where it is none. */
function partsOf ({ headers, body }) {
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) return null
  const parts = []
  let at = body.indexOf(`--${boundary}\r\n`)
  for (;;) {
    if (at === -1) return null
    const end = body.indexOf('\r\n\r\n', at)
    const range = contentRangeOf(/\r\nContent-Range: ([^\r]*)/i.exec(body.toString('latin1', at, end))?.[1])
    if (end === -1 || range === null) return null
    const next = end + 4 + range.end - range.start + 1
    parts.push({ ...range, bytes: body.subarray(end + 4, next) })
    const delimiter = body.toString('latin1', next, next + boundary.length + 6)
    if (delimiter === `\r\n--${boundary}--`) return parts
    if (delimiter !== `\r\n--${boundary}\r\n`) return null
    at = next + 2
  }
}

module.exports = { contentRangeOf, partsOf, responsesOf }
