'use strict'

// Uploads a file by PUT, with Content-Length and without copying, and tells how far it is and what became of it.
//   node examples/upload.js <url> <file>
// Through https: the bytes have to be encrypted, and are copied.

const http = require('node:http')
const https = require('node:https')
const { transferFile } = require('sendfile-native')

const [url, file, ...rest] = process.argv.slice(2)
if (!/^https?:\/\/./.test(url) || !file || rest.length > 0) {
  console.error('usage: upload <url> <file>')
  process.exit(2)
}

async function upload () {
  const client = url.startsWith('https:') ? https : http
  const request = client.request(url, { method: 'PUT' })
  const refused = new AbortController()
  const answering = new Promise((resolve, reject) => {
    request.on('error', reject)
    request.once('response', (response) => {
      resolve(response.resume())
      if (response.statusCode >= 300) refused.abort() // some servers say so before they have read everything
    })
  })
  const sending = transferFile(request, file, { onProgress: showProgress, signal: refused.signal })
  sending.catch((err) => request.destroy(err)) // where the file could not be opened, nobody has it yet
  const [sent, answer] = await Promise.allSettled([sending, answering])
  if (terminal) process.stderr.write('\n')

  const { statusCode, statusMessage } = answer.value ?? {}
  if (statusCode >= 300) throw new Error(`${statusCode} ${statusMessage}`)
  // Where the connection ended, the request knows better why.
  if (sent.reason?.code === 'ERR_STREAM_PREMATURE_CLOSE') throw answer.reason ?? sent.reason
  if (sent.reason || answer.reason) throw sent.reason ?? answer.reason
  const { bytesSent, zeroCopy, reason, changed } = sent.value
  console.log(`${statusCode} ${statusMessage}: ${bytesSent} bytes, ${zeroCopy ? 'zero copy' : `copied: ${reason}`}`)
  if (changed) throw new Error('the file has changed meanwhile: what was sent may be a mixture')
}

const terminal = process.stderr.isTTY
let tenth = 0

/** On a terminal in one line, in a log in a line for each tenth. */
function showProgress (bytesSent, total) {
  const percent = total > 0 ? Math.floor(bytesSent / total * 100) : 100
  if (terminal) return process.stderr.write(`\r${percent} %`)
  if (Math.floor(percent / 10) === tenth) return
  tenth = Math.floor(percent / 10)
  console.error(`${percent} %`)
}

upload().catch((err) => {
  console.error(`${file}: ${err.message}`)
  process.exitCode = 1
})
