'use strict'

// A program of examples/ in a process of its own, registered, and what it says at its exit of how bytes went.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { descriptors, digest, isNative, root, run, until } = require('.')

const HOST = '127.0.0.1'

const NO_PORTS = ['abc', '', ' ', '65536', '70000', '-1', '1.5', '1e3', '0x50', '80abc', 'undefined']

/** An address of documentation (RFC 5737), which no machine has: nobody can listen there. */
const NO_HOST = '192.0.2.1'

/** Whether this Node takes ES modules by require(), as CommonJS packages that need one expect. */
function requiresModules () {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
}

/** Starts it over a folder, until the test ends. Its command is the one that its first comment names. */
async function startExample (t, file, folder) {
  const child = spawn(process.execPath, ['--require', 'sendfile-native/register', file, '0', folder], {
    cwd: root,
    env: { ...process.env, SENDFILE_NATIVE_DEBUG: '1', NODE_ENV: 'test' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.after(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { output[stream] += text })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`${file} has ended: ${output.stderr}`)
    return /on port \d+\n/.test(output.stdout)
  })
  const port = Number(/on port (\d+)\n/.exec(output.stdout)[1])
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  t.after(() => agent.destroy())

  /** One request, and its answer. */
  const get = async (path, { method = 'GET', ...headers } = {}) => {
    const request = http.request({ port, host: HOST, agent, path, method, headers }).end()
    const [response] = await once(request, 'response')
    return { status: response.statusCode, headers: response.headers, ...await digest(response) }
  }
  /** What it has open of the folder. */
  const held = () => [...descriptors(child.pid).values()].filter((target) => target.startsWith(folder))
  /** Ends it, and takes its line: `{ native, copied, disabled }`. */
  const end = async () => {
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    const [, line] = /^sendfile-native: (.+)\n$/m.exec(output.stderr) ?? []
    return { code, ...JSON.parse(line ?? '{}'), stderr: output.stderr.replace(/^sendfile-native: .+\n$/m, '') }
  }
  return { pid: child.pid, port, get, held, end }
}

/** Bytes that were sent natively are just these, and no others were read. */
function assertNativeBytes ({ code, native, copied, disabled, stderr }, bytes) {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  if (isNative) assert.deepEqual({ native: native.bytes, copied: copied.bytes }, { native: bytes, copied: 0 })
  else assert.deepEqual({ native: native.bytes, disabled }, { native: 0, disabled: 'disabled' })
}

/** The program, which should end by itself; one that listens after all is ended. */
function runExample (file, port, env) {
  return run([file, port, '.'], { env: { ...process.env, ...env }, timeout: 30_000 })
}

/** What is no port is answered as a missing argument is. */
async function assertRefusesNoPorts (file, usage) {
  await Promise.all(NO_PORTS.map(async (port) => {
    const { code, stdout, stderr } = await runExample(file, port)
    assert.deepEqual({ port, code, stdout, stderr }, { port, code: 1, stdout: '', stderr: usage })
  }))
}

/** A port that cannot be had is told in one line; the highest is one. */
async function assertTellsWhyItCannotListen (t, file) {
  const server = net.createServer().listen(0, HOST)
  t.after(() => server.close())
  await once(server, 'listening')
  const used = String(server.address().port)
  const ways = [[HOST, used, 'EADDRINUSE: address already in use'], [NO_HOST, '65535', 'EADDRNOTAVAIL: address not available']]
  for (const [host, port, why] of ways) {
    const { code, stdout, stderr } = await runExample(file, port, { HOST: host })
    assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: `listen ${why} ${host}:${port}\n` })
  }
}

module.exports = {
  assertNativeBytes,
  assertRefusesNoPorts,
  assertTellsWhyItCannotListen,
  requiresModules,
  startExample
}
