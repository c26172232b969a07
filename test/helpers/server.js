'use strict'

// The server of test/fixtures/transfer-server.js, in a process of its own, and what strace does to it.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const readline = require('node:readline')
const { descriptors, digest, root, temporaryFolder, until } = require('.')

const HOST = '127.0.0.1'
const FIXTURE = path.join(root, 'test', 'fixtures', 'transfer-server.js')

/** Starts it, until the test ends. */
async function startServer (t, env = {}) {
  const child = spawn(process.execPath, [FIXTURE], {
    cwd: root, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit']
  })
  child.stdin.on('error', () => {}) // it has ended: the answer that does not come tells
  t.after(() => child.kill('SIGKILL'))
  const told = []
  const waiting = []
  const take = () => {
    for (const waiter of [...waiting]) {
      const index = told.findIndex(waiter.wanted)
      if (index === -1) continue
      waiting.splice(waiting.indexOf(waiter), 1)
      waiter.resolve(told.splice(index, 1)[0])
    }
  }
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    told.push(JSON.parse(line))
    take()
  })
  /** The next line that it tells, and that is wanted. */
  const next = (wanted) => new Promise((resolve, reject) => {
    waiting.push({ wanted, resolve, reject })
    take()
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting) reject(new Error(`the server has ended: ${signal ?? code}`))
  })
  const command = async (line) => {
    child.stdin.write(`${line}\n`)
    return (await next(({ answer }) => answer !== undefined)).answer
  }
  const { port, httpPort } = await next(({ port }) => port !== undefined)
  const server = { pid: child.pid, port, httpPort, command }

  /** How the next call for this file ended. */
  server.outcome = (path) => next((told) => told.path === path)
  /** A client that has asked for a file, and does not read yet. */
  server.ask = async (path, { prepare = () => {}, ...request } = {}) => {
    const socket = net.connect({ port, host: HOST, allowHalfOpen: true })
    socket.on('error', () => {}) // resets are part of the tests; 'close' follows
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    prepare(socket)
    socket.write(`${JSON.stringify({ path, ...request })}\n`)
    return socket
  }
  /** Asks for a file and reads: what arrived, and how the call ended. */
  server.get = async (path, request) => {
    const outcome = server.outcome(path)
    const socket = await server.ask(path, request)
    const arrived = await digest(socket)
    socket.destroy()
    return { arrived, ...await outcome }
  }
  /** The same of HTTP. A body that broke off has no digest. */
  server.request = async (path) => {
    const outcome = server.outcome(path)
    const request = http.get({ port: httpPort, host: HOST, path: encodeURI(path), agent: false })
    const broke = (err) => ({ broke: err.code })
    const arrived = await once(request, 'response').then(([response]) => digest(response)).catch(broke)
    return { arrived, ...await outcome }
  }
  /** Until it has no more open than it had. */
  server.settled = (before) => until(() => descriptors(child.pid).size <= before)
  return server
}

/** Thread ids of a process, of those whose name begins so. */
function threadsOf (pid, name) {
  return fs.readdirSync(`/proc/${pid}/task`).filter((id) => {
    try {
      return fs.readFileSync(`/proc/${pid}/task/${id}/comm`, 'latin1').startsWith(name)
    } catch (err) {
      if (err.code !== 'ENOENT') throw err // ended since
      return false
    }
  })
}

let reason

/** Why strace(1) cannot be used here; '' when it can. */
function straceUnavailable () {
  if (reason !== undefined) return reason
  const { error, status, stderr } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) return (reason = 'strace is missing')
  if (status !== 0) return (reason = `strace may not trace: ${stderr.trim()}`)
  // To attach to what it did not start is another permission.
  const scope = '/proc/sys/kernel/yama/ptrace_scope'
  const restricted = fs.existsSync(scope) && Number(fs.readFileSync(scope, 'latin1')) > 0 && process.geteuid() !== 0
  return (reason = restricted ? `strace may not attach to other processes (${scope})` : '')
}

/**
 * From now on, until `stop()`, system calls of the process fail as these rules of strace's say.
 * @param {string[]} rules such as `sendfile:error=EIO:when=3+`, counted in each thread
 * @param {string} [options.path] only calls on this file
 * @param {string | number} [options.thread] only this thread
 */
async function inject (t, { pid }, rules, { path, thread } = {}) {
  const calls = rules.map((rule) => rule.split(':')[0]).join()
  const child = spawn('strace', [
    '-o', '/dev/null', ...(path ? ['-P', path] : []), '-e', `trace=${calls}`, '-e', 'signal=none',
    ...rules.flatMap((rule) => ['-e', `inject=${rule}`]), ...(thread ? [] : ['-f']), '-p', String(thread ?? pid)
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  const stop = async () => {
    child.kill('SIGINT') // detaches
    await ended
  }
  t.after(stop)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`strace: ${said}`)
    return said.includes(' attached')
  })
  return stop
}

/**
 * Watches these system calls of a process and all its threads: `stop()` resolves with `[{ thread, name, line }]`, those
 * that have returned.
 */
async function trace (t, { pid }, calls) {
  const file = path.join(temporaryFolder(t), 'calls')
  const child = spawn('strace', ['-f', '-o', file, '-s', '0', '-e', `trace=${calls.join()}`, '-e', 'signal=none', '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  const ended = once(child, 'close')
  const detach = async () => {
    child.kill('SIGINT')
    await ended
  }
  t.after(detach)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`strace: ${said}`)
    return said.includes(' attached')
  })
  return async () => {
    await detach()
    return fs.readFileSync(file, 'latin1').split('\n').flatMap((line) => {
      const [, thread, name] = /^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed)/.exec(line) ?? []
      return name === undefined || line.endsWith('<unfinished ...>') ? [] : [{ thread: Number(thread), name, line }]
    })
  }
}

module.exports = { inject, startServer, straceUnavailable, threadsOf, trace }
