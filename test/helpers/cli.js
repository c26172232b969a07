'use strict'

// The command-line program in a process of its own.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const path = require('node:path')
const { descriptors, root, run, until } = require('.')

const PROGRAM = path.join(root, 'bin', 'sendfile-native.js')
const HOST = '127.0.0.1'

/** The program, which should end by itself; one that listens after all is ended. */
function runCli (args, options) {
  return run([PROGRAM, ...args], { timeout: 30_000, ...options })
}

/**
 * The program over a folder or a file, until the test ends.
 * @param {{ options?: string[], env?: object }} [settings] options of the command
 */
async function startCli (t, shared, { options = ['--port', '0'], env = process.env } = {}) {
  const child = spawn(process.execPath, [PROGRAM, shared, ...options], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { output[stream] += text })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`it has ended: ${output.stderr}`)
    return /^http:.*\n/m.test(output.stdout)
  })
  const urls = output.stdout.match(/^http:.*$/mg)
  const port = Number(new URL(urls[0]).port)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  t.after(() => agent.destroy())

  /** A request whose path goes out as it is, and its answer while it comes. */
  const ask = async (target, { method = 'GET', ...headers } = {}) => {
    const request = http.request({ port, host: HOST, agent, path: target, method, headers }).end()
    const [response] = await once(request, 'response')
    return response
  }
  /** The same, and its answer. */
  const get = async (target, headers) => {
    const response = await ask(target, headers)
    const chunks = []
    for await (const chunk of response) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    return { status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() }
  }
  /** The access lines so far, without their times. */
  const lines = () => {
    return output.stdout.split('\n').slice(1, -1).filter((line) => !line.startsWith('http:')).map((line) => line.slice(20))
  }
  /** The next access line that matches. */
  const line = async (pattern) => {
    await until(() => lines().some((line) => pattern.test(line)))
    return lines().find((line) => pattern.test(line))
  }
  /** What it has open below a folder. */
  const held = (folder) => [...descriptors(child.pid).values()].filter((target) => target.startsWith(folder))
  /** Ends it as Ctrl-C does. */
  const end = async (signal = 'SIGINT') => {
    child.kill(signal)
    const [code] = await once(child, 'close')
    return { code, stderr: output.stderr }
  }
  return { child, port, urls, output, agent, ask, get, lines, line, held, end }
}

module.exports = { HOST, PROGRAM, runCli, startCli }
