'use strict'

const { spawn } = require('node:child_process')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const nodeTest = require('node:test')
const { trySendfile, watchWritable } = require('sendfile-native')

const root = path.join(__dirname, '..', '..')
const MIB = 1 << 20

/** Whether zero copy is on in this run: the suite passes with and without. */
const isNative = process.env.SENDFILE_NATIVE !== 'off'

/** A test that ends, if need be by failing. */
function test (name, options, run = options) {
  nodeTest(name, { timeout: 60_000, ...(run === options ? {} : options) }, run)
}

/** A folder that goes with the test. */
function temporaryFolder (t, parent = os.tmpdir()) {
  const folder = fs.mkdtempSync(path.join(parent, 'sendfile-native-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file with these contents, or so many random bytes: `{ path, bytes }`. */
function temporaryFile (t, contents, parent) {
  const bytes = typeof contents === 'number' ? crypto.randomBytes(contents) : Buffer.from(contents)
  const file = path.join(temporaryFolder(t, parent), 'file')
  fs.writeFileSync(file, bytes)
  return { path: file, bytes }
}

/** A descriptor that is closed with the test, should it still be open then. */
function open (t, file, flags = 'r') {
  return closeAfter(t, fs.openSync(file, flags))
}

/** Closes descriptors with the test; the test may close them itself, and say so. */
function closeAfter (t, fd) {
  t.after(() => {
    try {
      fs.closeSync(fd)
    } catch (err) {
      if (err.code !== 'EBADF') throw err
    }
  })
  return fd
}

/**
 * Two ends of a loopback connection, neither of them reading: `here` is the server's.
 * @param {object} [listen] where to listen, such as `{ path }` for a unix socket
 */
async function connection (t, listen = { port: 0, host: '127.0.0.1' }) {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(listen)
  await once(server, 'listening')
  const there = net.connect(listen.path ?? server.address().port, listen.host)
  there.pause()
  const [[here]] = await Promise.all([once(server, 'connection'), once(there, 'connect')])
  server.close()
  for (const socket of [here, there]) {
    socket.on('error', () => {}) // resets are part of the tests; 'close' follows
    t.after(() => socket.destroy())
  }
  return { here, there }
}

function numberOf (socket) {
  return socket._handle.fd
}

/** Sends the file from its start, again and again, until the destination takes no more. */
function fill (out, file) {
  let sent = 0
  for (let n; (n = trySendfile(out, file, 0, MIB)) > 0;) sent += n
  return sent
}

/** Fills a connection for good: also what is on its way to the peer has arrived and left no room. */
async function fillForGood (out, file) {
  for (let refusals = 0; refusals < 3; refusals++) {
    if (fill(out, file) > 0) refusals = 0
    await turns(20)
  }
}

/** The reactor keeps descriptors of its own, which are no leak: started before they are counted. */
async function startReactor () {
  const ends = []
  const { here } = await connection({ after: (end) => ends.push(end) })
  watchWritable(here)
  await once(here, 'drain')
  for (const end of ends) end()
  if (!here.closed) await once(here, 'close')
}

/** Lets the event loop turn, so that what is on its way arrives. */
async function turns (count) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Reads a stream to its end: its SHA-256 and length. */
async function digest (stream) {
  const hash = crypto.createHash('sha256')
  let length = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    length += chunk.length
  }
  return { sha256: hash.digest('hex'), length }
}

function sha256 (bytes) {
  return crypto.createHash('sha256').update(bytes).digest('hex')
}

/** What a process has open: descriptor number -> what it is open on. */
function descriptors (pid = process.pid) {
  const folder = `/proc/${pid}/fd`
  const open = new Map()
  for (const fd of fs.readdirSync(folder)) {
    try {
      open.set(Number(fd), fs.readlinkSync(path.join(folder, fd)))
    } catch (err) {
      if (err.code !== 'ENOENT') throw err // closed since: the one that listed the folder
    }
  }
  return open
}

/** CPU time of a process in clock ticks (1/100 s), user and system. */
function cpuTicks (pid = process.pid, thread = undefined) {
  const file = thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`
  const fields = fs.readFileSync(file, 'latin1').replace(/^.*\) /s, '').split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Thread ids of this process whose name begins so. */
function threads (name) {
  return fs.readdirSync('/proc/self/task').filter((id) => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'latin1').startsWith(name)
    } catch (err) {
      if (err.code !== 'ENOENT') throw err // ended since
      return false
    }
  })
}

/** Waits until `condition()` holds; the test's own time limit ends it otherwise. */
async function until (condition) {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/**
 * Runs Node with these arguments, or with this program: `{ code, signal, stdout, stderr }`.
 * @param {string[] | string} args
 * @param {object} [options] as spawn's, and `openFiles`: most descriptors that it may have
 */
async function run (args, { openFiles, ...options } = {}) {
  const node = [process.execPath, ...(typeof args === 'string' ? ['-e', args] : args)]
  // Node raises its soft limit to the hard one, which therefore has to be set before it starts.
  const [file, ...rest] = openFiles ? ['/bin/sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...node] : node
  const child = spawn(file, rest, { cwd: root, ...options })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { output[name] += text })
  const [code, signal] = await once(child, 'close')
  return { code, signal, ...output }
}

module.exports = {
  MIB,
  closeAfter,
  connection,
  cpuTicks,
  descriptors,
  digest,
  fill,
  fillForGood,
  isNative,
  numberOf,
  open,
  root,
  run,
  sha256,
  startReactor,
  temporaryFile,
  temporaryFolder,
  test,
  threads,
  turns,
  until
}
