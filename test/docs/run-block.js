'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')

const HOST = '127.0.0.1'
const LONGEST_MS = 60_000
const PRELOAD = path.join(__dirname, 'preload.js')

/**
 * Runs a block of the documentation in `folder`: what it should have done otherwise, or null.
 * @param {{ language: string, code: string, requests: { method: string, path: string, status: number }[] }} block
 */
async function runBlock ({ language, code, requests }, folder) {
  const child = language === 'sh'
    ? spawn('sh', ['-ec', code], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe', 'ignore'] })
    : spawn(process.execPath, ['--require', PRELOAD, programOf(language, code, folder)], {
        cwd: folder, stdio: ['ignore', 'pipe', 'pipe', 'ipc']
      })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text })
  const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS)
  const closed = once(child, 'close')
  const ends = closed.then(([code, signal]) => `it ended with ${signal ?? code}:\n${output}`)
  try {
    if (requests.length === 0) return (await closed)[0] === 0 ? null : await ends
    const port = await Promise.race([once(child, 'message').then(([{ port }]) => port), ends])
    if (typeof port === 'string') return port
    for (const request of requests) {
      const complaint = request.file ? await take(port, path.join(folder, request.file)) : await ask(port, request)
      if (complaint !== null) return `${complaint}\n${output}`
    }
    return null
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
    await closed
  }
}

function programOf (language, code, folder) {
  const file = path.join(folder, `block.${language === 'mjs' ? 'mjs' : 'js'}`)
  fs.writeFileSync(file, code)
  return file
}

async function ask (port, { method, path: name, status }) {
  const [response] = await once(http.request({ port, host: HOST, method, path: name, agent: false }).end(), 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode === status ? null : `${method} ${name}: ${response.statusCode} instead of ${status}`
}

async function take (port, file) {
  const chunks = []
  for await (const chunk of net.connect(port, HOST)) chunks.push(chunk)
  return Buffer.concat(chunks).equals(fs.readFileSync(file)) ? null : `it sends something else than ${file}`
}

module.exports = { runBlock }
