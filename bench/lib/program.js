'use strict'

// A server in a process of its own.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const readline = require('node:readline')

const root = path.join(__dirname, '..', '..')
const TICKS_A_SECOND = 100
const STOP_MS = 3_000

/** CPU time of a process in seconds. */
function cpuSeconds (pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

/** What a process has had in memory at most, in bytes. */
function peakMemory (pid) {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(kilobytes) * 1024
}

/** What a process has in memory that belongs to no file, in bytes. */
function anonymousMemory (pid) {
  const [, kilobytes] = /^Anonymous:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))
  return Number(kilobytes) * 1024
}

/** How many files a process of ours may have open. */
function mostOpenFiles () {
  const [, most] = /^Max open files +\d+ +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))
  return Number(most)
}

/** Ends a process that we started. */
async function stop (child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await once(child, 'exit')
  clearTimeout(deadline)
}

/**
 * Starts a program that says on which port it listens: `{ child, pids, port, ask, stop }`. `ask(message)` resolves with
 * its answer over IPC, if `isNode`.
 */
async function start (file, args, { isNode = false, ...options } = {}) {
  const stdio = ['ignore', 'pipe', 'inherit', ...(isNode ? ['ipc'] : [])]
  const child = spawn(file, args, { cwd: root, stdio, env: { ...process.env, NODE_ENV: 'production' }, ...options })
  const lines = readline.createInterface({ input: child.stdout })
  const port = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const said = /on port (\d+)/.exec(line)
      if (said) resolve(Number(said[1]))
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${path.basename(file)} ${args.join(' ')} has ended: ${signal ?? code}`)))
  })
  const exit = new AbortController()
  child.once('exit', () => exit.abort(new Error('the server has ended')))
  const ask = async (message) => {
    child.send(message)
    try {
      return (await once(child, 'message', { signal: exit.signal }))[0]
    } catch (err) {
      throw err.cause ?? err
    }
  }
  return { child, pids: [child.pid], port, ask: isNode ? ask : null, stop: () => stop(child) }
}

module.exports = { anonymousMemory, cpuSeconds, mostOpenFiles, peakMemory, root, start, stop }
