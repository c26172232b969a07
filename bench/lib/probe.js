'use strict'

// One request, whose answer is looked at, so that right answers are what is measured afterwards.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { once } = require('node:events')
const { sizes } = require('./files')

/** Larger bodies are not compared. */
const MOST = 2 * sizes['1MiB']
const PATIENCE_MS = 20_000

/** `[[0, 99], [200, 299]]` as a header. */
function rangeHeader (ranges) {
  return ranges && { Range: `bytes=${ranges.map((range) => range.join('-')).join(',')}` }
}

function isRight (body, file, ranges) {
  if (!ranges) return body.equals(file)
  return ranges.every(([first, last]) => body.includes(file.subarray(first, last + 1)))
}

/**
 * `{ status, length, type }` of the answer. Throws if its body is not that of the file.
 * @param {{ port: number, folder: string, name: string, ranges?: number[][] }} request
 */
async function probe ({ port, folder, name, ranges }) {
  const request = http.get({ port, host: '127.0.0.1', path: `/${name}`, headers: rangeHeader(ranges), agent: false })
  const [response] = await once(request, 'response', { signal: AbortSignal.timeout(PATIENCE_MS) })
  const { statusCode: status, headers } = response
  const type = headers['content-type'] ?? ''
  const length = Number(headers['content-length'])
  const file = path.join(folder, name)
  if (status < 300 && length <= MOST && fs.existsSync(file)) {
    const chunks = []
    for await (const chunk of response) chunks.push(chunk)
    if (status === (ranges ? 206 : 200) && !isRight(Buffer.concat(chunks), fs.readFileSync(file), ranges)) {
      throw new Error(`the body of ${name} is wrong`)
    }
  }
  response.destroy()
  return { status, length, type }
}

module.exports = { probe, rangeHeader }
