'use strict'

// What somebody does who has just read the README: installs the package, copies its first program, and fetches a file.

const { spawn, spawnSync } = require('node:child_process')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const readline = require('node:readline')

const MIB = 1 << 20
const FILE_BYTES = 16 * MIB
const TOO_LONG_MS = 120_000

/** What the README's program sends. */
const SENT = 'README.md'

/** With a PATH where there is no compiler, nor anything else. */
function install (folder, npm, args) {
  const nothing = path.join(folder, 'nothing')
  fs.mkdirSync(nothing)
  const { status, stderr, error } = spawnSync(process.execPath, [npm, 'install', '--prefix', folder, '--ignore-scripts',
    '--no-audit', '--no-fund', '--loglevel=error', ...args
  ], { cwd: folder, encoding: 'utf8', env: { ...process.env, PATH: nothing } })
  if (error || status !== 0) throw new Error(`npm install ended with ${error?.message ?? status}: ${stderr}`)
}

/** The first program of the README that was installed, and a file for it. */
function write (folder) {
  const readme = fs.readFileSync(path.join(folder, 'node_modules', 'sendfile-native', 'README.md'), 'utf8')
  const [, program] = /```js\r?\n([^]*?)```/.exec(readme)
  if (!program.includes(`'${SENT}'`)) throw new Error(`the README's first program does not send ${SENT}`)
  const bytes = crypto.randomBytes(FILE_BYTES)
  fs.writeFileSync(path.join(folder, 'app.js'), program)
  fs.writeFileSync(path.join(folder, SENT), bytes)
  fs.copyFileSync(path.join(__dirname, 'preload.js'), path.join(folder, 'preload.js'))
  return sha256(bytes)
}

function sha256 (bytes) {
  return crypto.createHash('sha256').update(bytes).digest('hex')
}

/** The hash of what comes from there, and when its first byte came. */
async function fetched (port) {
  const request = http.get({ port, host: '127.0.0.1', agent: false })
  const [response] = await once(request, 'response')
  const hash = crypto.createHash('sha256')
  let first
  for await (const chunk of response) {
    first ??= performance.now()
    hash.update(chunk)
  }
  return { hash: hash.digest('hex'), first }
}

/** Runs the program of a folder: `next()` resolves with what preload.js tells next, and `end()` ends it. */
async function run ({ command, env }, folder) {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const [file, ...args] = command(folder)
  const child = spawn(file, args, {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: TOO_LONG_MS,
    env: { ...process.env, ...env, SENDFILE_TRIED_FROM: String(server.address().port) }
  })
  const ended = once(child, 'exit').finally(() => server.close())
  const early = ended.then((reasons) => { throw new Error(`the program ended with ${reasons.find((it) => it !== null)}`) })
  early.catch(() => {}) // by then it may have been what was wanted
  const [teller] = await Promise.race([once(server, 'connection'), early])
  const lines = readline.createInterface({ input: teller })[Symbol.asyncIterator]()
  return {
    async next () {
      const { value, done } = await Promise.race([lines.next(), early])
      return done ? early : JSON.parse(value)
    },
    async end () {
      teller.destroy()
      await ended
    }
  }
}

/**
 * Installs the package in an empty folder with `npm install <args>`, and sends a file with it.
 * @param {object} node how to run it: `command(folder)` gives a program and its arguments, for files of that folder
 * @param {{ npm: string, args: string[] }} installation
 */
async function firstProgram (node, folder, { npm, args }) {
  const begin = performance.now()
  install(folder, npm, args)
  const right = write(folder)
  const program = await run(node, folder)
  try {
    const { port, ...about } = await program.next()
    const { hash, first } = await fetched(port)
    const { zeroCopy, reason, bytes } = await program.next()
    const seconds = (first - begin) / 1000
    return { ...about, seconds, isRight: hash === right, isZeroCopy: zeroCopy && isNative(bytes), reason }
  } finally {
    await program.end()
  }
}

/** Nearly all of the file by sendfile(2), as the counters say, and nothing through JavaScript. */
function isNative ({ sendfile, copied }) {
  return copied === 0 && sendfile > FILE_BYTES - MIB
}

module.exports = { firstProgram }
