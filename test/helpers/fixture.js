'use strict'

// A program of test/fixtures in a process of its own, which is talked to over IPC.

const { spawn } = require('node:child_process')
const path = require('node:path')
const { root } = require('.')

/**
 * Starts it, until the test ends.
 * @param {string} name of the file in test/fixtures
 * @param {string[]} [args]
 * @param {string[]} [through] a command that runs it: its own process becomes the program's
 */
function startFixture (t, name, args = [], through = []) {
  const [file, ...rest] = [...through, process.execPath, path.join(root, 'test', 'fixtures', name), ...args]
  const child = spawn(file, rest, { cwd: root, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const told = []
  const waiting = []
  let ended = null
  child.on('message', (message) => {
    const index = waiting.findIndex(({ wanted }) => wanted(message))
    if (index === -1) told.push(message)
    else waiting.splice(index, 1)[0].resolve(message)
  })
  child.once('exit', (code, signal) => {
    ended = new Error(`${name} has ended: ${signal ?? code}`)
    for (const { reject } of waiting) reject(ended)
  })
  t.after(() => {
    waiting.length = 0 // what is not wanted any more fails nobody
    child.kill('SIGKILL')
  })

  /** The next message that is wanted, be it told already. */
  const next = (wanted) => new Promise((resolve, reject) => {
    const index = told.findIndex(wanted)
    if (index !== -1) resolve(told.splice(index, 1)[0])
    else if (ended !== null) reject(ended)
    else waiting.push({ wanted, resolve, reject })
  })
  return { child, pid: child.pid, next, send: (message) => child.send(message) }
}

module.exports = { startFixture }
