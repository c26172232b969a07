'use strict'

// What the long proofs have in common: options, findings, their last line; and marked files with the client that knows
// them (test/load/client).

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { root } = require('.')
const { tellProof } = require('./proof')

const MAGIC = 0xa5
const MOST_PRINTED = 20

/**
 * `--quick`, `--seed N` and these numbers: `{ quick, seed, isReplay, ...numbers }`. Without `--seed` the full form has
 * a new one each time, and the quick form always the same: what it finds is the doing of a change.
 * @param {string} name of the proof
 * @param {Record<string, [number, number]>} numbers what each is in the full form, and in the quick one
 */
function options (name, numbers) {
  const given = {}
  let quick = false
  for (const args = process.argv.slice(2); args.length > 0;) {
    const arg = args.shift()
    const key = arg.replace(/^--/, '')
    if (arg === '--quick') quick = true
    else if (arg.startsWith('--') && (key === 'seed' || Object.hasOwn(numbers, key)) && Number(args[0]) >= 0) {
      given[key] = Number(args.shift())
    } else {
      console.error(`usage: node test/${name} [--quick] [--seed N]${Object.keys(numbers).map((key) => ` [--${key} N]`).join('')}`)
      process.exit(2)
    }
  }
  const chosen = Object.entries(numbers).map(([key, [full, short]]) => [key, quick ? short : full])
  const seed = quick ? 1 : Math.floor(Math.random() * 0x100000000)
  return { quick, seed, isReplay: 'seed' in given, ...Object.fromEntries(chosen), ...given }
}

/** What a proof has found, and what it says at its end. */
class Proof {
  constructor (name, seed) {
    this.name = name
    this.seed = seed
    this.result = { cases: 0, faults: 0, bytes: 0, findings: 0, notes: [] }
    for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, (err) => this.found(err?.stack))
    process.on('exit', () => {
      if (!this.hasEnded) process.exitCode = 1 // nothing was left to wait for, and nobody said that it is over
    })
  }

  say (text) {
    console.log(`${this.name}: ${text}`)
  }

  found (text) {
    this.result.findings++
    if (this.result.findings <= MOST_PRINTED) console.log(`FINDING --seed ${this.seed}: ${text}`)
  }

  /** That this is so. */
  check (isSo, text) {
    if (!isSo) this.found(text)
  }

  note (text) {
    this.result.notes.push(text)
  }

  end () {
    this.hasEnded = true
    tellProof(this.result)
  }
}

/** Builds packages of the workspace: the folder of what they become. */
function build (...packages) {
  const args = ['build', '--locked', '--quiet', ...packages.flatMap((name) => ['-p', name])]
  const { status, error } = spawnSync('cargo', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (error ?? status !== 0) throw error ?? new Error(`cargo ${args.join(' ')} failed`)
  return path.join(root, 'target', 'debug')
}

/** A folder that goes with the process. */
function folder (name) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), `sendfile-native-${name}-`))
  process.on('exit', () => fs.rmSync(made, { recursive: true, force: true }))
  return made
}

/**
 * The bytes of a marked file (test/load/client/src/body.rs): which file, which version of it, and which place.
 * @param {number} size a multiple of 8
 */
function marked (id, version, size, magic = MAGIC) {
  const words = new Uint32Array(size / 4)
  for (let index = 0; index < size / 8; index++) {
    words[2 * index] = (magic | id << 8 | (version & 0xff) << 24) >>> 0
    words[2 * index + 1] = (version >>> 8 & 0xff | index << 8) >>> 0
  }
  return Buffer.from(words.buffer)
}

/** Puts a version of a file in the place of the one before. */
function replace (parent, { id, size }, version) {
  const temporary = path.join(parent, `.${id}.new`)
  fs.writeFileSync(temporary, marked(id, version, size))
  fs.renameSync(temporary, path.join(parent, String(id)))
}

/**
 * Starts a client of marked files; resolves with its last line.
 * @param {string[]} args as test/load/client/src/main.rs lists them
 * @param {object} [how] `heard(line)` gets each of its lines, `through` is a command that runs it, and with `until` it
 *   has ended when that is settled
 */
async function client (proof, args, { heard = () => {}, through = [], until } = {}) {
  const command = [...through, path.join(root, 'target', 'debug', 'proof-client'), ...args]
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // it has ended before
  until?.then(() => child.stdin.end())
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const ended = once(child, 'close')
  let last
  let told = 0
  for await (const text of readline.createInterface({ input: child.stdout })) {
    const line = JSON.parse(text)
    if (line.finding) {
      proof.found(`connection ${line.connection}: ${line.finding}\n  ${line.plan}`)
      told++
    } else {
      heard(line)
    }
    if (line.last) last = line
  }
  const [code, signal] = await ended
  process.off('exit', kill)
  if (last === undefined) throw new Error(`the client has ended: ${signal ?? code}`)
  proof.result.findings += last.findings - told // it does not tell all of many
  return last
}

module.exports = { Proof, build, client, folder, marked, options, replace }
