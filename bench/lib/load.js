'use strict'

// The load generator, bench/load.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { cpu, onLastCpu } = require('./last-cpu')
const { binary } = require('./rust')

/** `{ port: 80, path: ['/a', '/b'] }` as arguments; what is undefined is left out. */
function argumentsOf (options) {
  return Object.entries(options).filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [value].flat().flatMap((each) => [`--${name}`, String(each)]))
}

/** Runs it to its end: what it counted. Any response that was not as it should be is an error. */
async function load (options) {
  const { counted } = await attempt(options)
  if (counted.errors) throw new Error(`${counted.errors} responses were wrong: ${JSON.stringify(counted.faults)}`)
  return counted
}

/**
 * The same, whatever the responses were: `{ code, counted }`. `isAnywhere`: not on the CPU of the clients; `isModest`:
 * it takes what time others leave, and keeps nobody waiting (SCHED_IDLE), as if it were elsewhere.
 */
async function attempt ({ isAnywhere = false, isModest = false, ...options }) {
  const command = [binary('bench-load'), ...argumentsOf(options)]
  const [file, ...args] = isModest && cpu !== null ? ['chrt', '--idle', '0', ...command] : command
  const child = spawn(...isAnywhere ? [file, args] : onLastCpu(file, args), { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => { text += chunk })
  const [code] = await once(child, 'close')
  if (text === '') throw new Error('the load generator failed')
  return { code, counted: JSON.parse(text) }
}

/** Connections that stay as they are until `release()`. */
async function hold (options) {
  const child = spawn(binary('bench-load'), argumentsOf(options), { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const isReady = await Promise.race([once(child.stdout, 'data').then(() => true), exit.then(() => false)])
  if (!isReady) throw new Error('the connections were not made')
  return async () => {
    child.stdin.end()
    await exit
  }
}

module.exports = { attempt, hold, load }
