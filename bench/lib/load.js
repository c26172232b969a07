'use strict'

// The load generator, bench/load.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
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

/** The same, whatever the responses were: `{ code, counted }`. */
async function attempt (options) {
  const child = spawn(binary('bench-load'), argumentsOf(options), { stdio: ['ignore', 'pipe', 'inherit'] })
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
