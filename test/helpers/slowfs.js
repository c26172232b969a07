'use strict'

// A file system whose calls can be delayed, held and failed: test/slowfs, built by `npm run test:js`.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { root, test } = require('.')

const binary = path.join(root, 'target', 'debug', 'slowfs')

/** A folder with a `source` of these files, and a place to `mount` it. */
function prepare (files) {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-slowfs-'))
  const [source, folder] = ['source', 'mount'].map((name) => path.join(parent, name))
  fs.mkdirSync(source)
  fs.mkdirSync(folder)
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(source, name), bytes)
  const remove = () => {
    // Whatever became of the process, its mount goes; a folder that is still mounted is not looked into.
    if (fs.readFileSync('/proc/self/mounts', 'latin1').includes(` ${folder} `)) spawnSync('umount', ['-l', folder])
    fs.rmdirSync(folder)
    fs.rmSync(parent, { recursive: true })
  }
  return { source, folder, remove }
}

let reason

/** Why nothing can be mounted here; '' when it can. */
function unavailable () {
  if (reason !== undefined) return reason
  if (!fs.existsSync('/dev/fuse')) return (reason = '/dev/fuse is missing')
  const { source, folder, remove } = prepare({})
  const { error, status, stderr } = spawnSync(binary, [source, folder], { input: '', encoding: 'utf8', timeout: 10_000 })
  remove()
  if (error?.code === 'ENOENT') throw error // not built: that is no reason to skip
  return (reason = status === 0 ? '' : `mounting was refused: ${error?.message ?? stderr.trim()}`)
}

function available () {
  return unavailable() === ''
}

/** A test that mounts: skipped where that cannot be done. */
function slowTest (name, run) {
  test(name, (t) => available() ? run(t) : t.skip(unavailable()))
}

/**
 * Mounts these files until the test ends. `command` resolves with the answer to a command: test/slowfs/src/main.rs
 * lists them.
 * @param {Record<string, Buffer>} files
 * @returns {Promise<{ folder: string, command: (line: string) => Promise<string> }>}
 */
async function mount (t, files) {
  const { source, folder, remove } = prepare(files)
  // In a process group of its own: Ctrl-C ends the test, and with it the input of the file system, which then unmounts.
  const child = spawn(binary, [source, folder], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // it has ended: the answer that does not come tells
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  t.after(async () => {
    child.stdin.end()
    const deadline = setTimeout(() => child.kill('SIGKILL'), 5_000)
    for (let line; !line?.done && line?.value !== 'unmounted';) line = await lines.next()
    clearTimeout(deadline)
    child.stdout.destroy()
    child.unref() // it stays while the test has files open, so that they can still be closed
    remove()
  })

  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('slowfs has ended')
    return value
  }
  const command = async (line) => {
    child.stdin.write(`${line}\n`)
    const value = await answer()
    if (value === 'error') throw new Error(`slowfs does not know: ${line}`)
    return value
  }
  await once(child, 'spawn')
  await answer() // ready
  return { folder, command }
}

module.exports = { available, mount, slowTest, unavailable }
