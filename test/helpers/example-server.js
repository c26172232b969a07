'use strict'

// A server of examples/ that uses the package itself, in a process of its own.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { descriptors, digest, isNative, root, run, until } = require('.')

const HOST = '127.0.0.1'
const COUNTER = path.join(root, 'test', 'fixtures', 'print-bytes.js')
const COUNTED = /^bytes: (.+)\n/mg
const URL_LINE = /^.* at (http:\/\/\S+)$/mg

/**
 * Starts it, until the test ends.
 * @param {string[]} args
 * @param {RegExp} [ready] what it prints when it can be asked
 */
async function startServer (t, file, args, ready = URL_LINE) {
  const child = spawn(process.execPath, ['--require', COUNTER, file, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { output[stream] += text })
  const printed = (pattern, stream = 'stdout') => until(() => {
    if (output[stream].match(pattern)) return true
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${file} has ended: ${output.stderr}`)
    return false
  })
  await printed(ready)
  const urls = Array.from(output.stdout.matchAll(URL_LINE), ([, url]) => new URL(url))
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())

  /** A request, and its answer while it comes. */
  const ask = async (target, { method = 'GET', port = urls[0].port, ...headers } = {}) => {
    const request = http.request({ port, host: HOST, agent, path: target, method, headers }).end()
    const [response] = await once(request, 'response')
    return response
  }
  /** The same, and its answer. */
  const get = async (target, options) => {
    const response = await ask(target, options)
    return { status: response.statusCode, headers: response.headers, ...await digest(response) }
  }
  /** What it has open below a folder. */
  const held = (folder, pid = child.pid) => [...descriptors(pid).values()].filter((target) => target.startsWith(folder))
  /** Ends it, unless it ends by itself (null): how it did, what it said, and how the bytes went. */
  const end = async (signal = 'SIGTERM') => {
    if (signal !== null) child.kill(signal)
    const [code, signalled] = await closed
    return { code, signal: signalled, stderr: output.stderr.replace(COUNTED, ''), bytes: countedBytes(output.stderr) }
  }
  return { child, pid: child.pid, urls, output, agent, printed, ask, get, held, end }
}

/** What the lines of the counter say, those of workers included. */
function countedBytes (stderr) {
  const bytes = { native: 0, copied: 0 }
  for (const [, counted] of stderr.matchAll(COUNTED)) {
    for (const [kind, count] of Object.entries(JSON.parse(counted))) bytes[kind] += count
  }
  return bytes
}

/** Those of files went natively, and none through JavaScript; with the kill switch the other way round. */
function assertWay ({ native, copied }, bytesOfFiles) {
  if (isNative) {
    assert.equal(copied, 0)
    assert.ok(native >= bytesOfFiles, `${native} bytes went natively`)
  } else {
    assert.deepEqual({ native, copied }, { native: 0, copied: bytesOfFiles })
  }
}

/** The program, which should end by itself: how it did, and what it said. */
async function assertEnds (args, expected, env) {
  const { code, stdout, stderr } = await run(args, { env: { ...process.env, ...env }, timeout: 30_000 })
  assert.deepEqual({ args, code, stdout, stderr }, { args, stdout: '', ...expected })
}

/**
 * Wrong arguments, and what is no folder, end it with 2 and a line.
 * @param {string[]} [more] arguments behind port and folder
 */
async function assertChecksArguments (file, usage, more = []) {
  const ports = ['', '-1', '65536', '1.5', '80abc'].map((port) => [port, '.', ...more])
  const wrong = [[], ['0'], ['0', '', ...more], ['0', '.', ...more, 'more'], ...ports]
  await Promise.all([
    ...wrong.map((args) => assertEnds([file, ...args], { code: 2, stderr: `usage: ${usage}\n` })),
    ...['no-such-folder', 'package.json'].map((name) => {
      return assertEnds([file, '0', name, ...more], { code: 2, stderr: `${name} is no folder\n` })
    })
  ])
}

/** A port that is taken is told in one line. */
async function assertTellsOfTakenPort (t, file, more = []) {
  const server = net.createServer().listen(0, HOST)
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address()
  const { code, stderr } = await run([file, String(port), '.', ...more], { timeout: 30_000 })
  assert.equal(code, 1)
  assert.match(stderr, new RegExp(`^(bind|listen) EADDRINUSE.* ${HOST}:${port}\\n(worker \\d+ has ended: 1\\n)?$`))
}

module.exports = {
  COUNTER,
  HOST,
  assertChecksArguments,
  assertEnds,
  assertTellsOfTakenPort,
  assertWay,
  countedBytes,
  startServer
}
