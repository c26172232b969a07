'use strict'

// The targets of fuzz/, each for its part of the time: `node test/fuzz/native [--quick] [--minutes N] [--seed N]`.
// They need cargo-fuzz (`cargo install cargo-fuzz`). Coverage and the address sanitizer are options of the compiler
// that a stable toolchain has, but permits only when RUSTC_BOOTSTRAP says so.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { options } = require('../../helpers/long-proof')
const { tellProof } = require('../../helpers/proof')

const TARGETS = ['transfer', 'arguments', 'names']
const LONGEST_INPUT = 4096
/** One input that takes so long is a hang, in seconds. */
const HANG = 30
/** What is left of the time after which a target that does not end by itself is ended, in milliseconds. */
const GRACE_MS = 60_000

const crate = path.join(__dirname, '..', '..', '..', 'fuzz')
const env = { ...process.env, RUSTC_BOOTSTRAP: '1' }

async function main () {
  const { minutes, seed } = options('fuzz/native', { minutes: [7, 0.5] })
  if (spawnSync('cargo', ['fuzz', '--version'], { env }).status !== 0) {
    return tellProof({ cases: 0, findings: 0, notes: ['native: not done: there is no cargo-fuzz'] })
  }
  const sanitizer = ['address', 'none'].find(build)
  if (sanitizer === undefined) return tellProof({ cases: 0, findings: 1, notes: ['native: the targets cannot be built'] })
  const notes = sanitizer === 'none' ? ['native: without the address sanitizer, which cannot be linked here'] : []
  let [cases, findings] = [0, 0]
  for (const target of TARGETS) {
    const outcome = await run(target, minutes * 60 / TARGETS.length, seed)
    cases += outcome.cases
    findings += outcome.isFinding ? 1 : 0
  }
  tellProof({ cases, findings, notes })
}

function build (sanitizer) {
  const built = spawnSync('cargo', ['fuzz', 'build', '-s', sanitizer], { cwd: crate, env, encoding: 'utf8' })
  if (built.status !== 0) console.log(`native: cargo fuzz build -s ${sanitizer}: ${built.stderr.slice(-2000)}`)
  return built.status === 0
}

async function run (target, seconds, seed) {
  const { target_directory: built } = JSON.parse(spawnSync('cargo', ['metadata', '--format-version', '1', '--no-deps'],
    { cwd: crate, env, encoding: 'utf8' }).stdout)
  const [triple] = /(?<=host: ).*/.exec(spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-fuzz-'))
  const args = [`-max_total_time=${Math.ceil(seconds)}`, `-max_len=${LONGEST_INPUT}`, `-timeout=${HANG}`,
    `-seed=${seed % 2 ** 31}`, '-print_final_stats=1', `-artifact_prefix=${folder}/`]
  const child = spawn(path.join(built, triple, 'release', target), args,
    { env: { ...env, TMPDIR: folder }, stdio: ['ignore', 'ignore', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + GRACE_MS)
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { output = (output + text).slice(-100_000) })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  // Where an input broke it off, the last line that counts says how many there were.
  const counted = /number_of_executed_units: (\d+)/.exec(output) ?? output.match(/^#\d+/mg)?.at(-1).match(/#(\d+)/)
  const cases = Number(counted?.[1] ?? 0)
  const isFinding = code !== 0 || cases === 0
  console.log(`native: ${target}: ${cases} inputs, seed ${seed}, ${isFinding ? `ended with ${signal ?? code}` : 'nothing found'}`)
  if (isFinding) tell(target, output, folder)
  fs.rmSync(folder, { recursive: true })
  return { cases, isFinding }
}

/** With the input itself: `cargo fuzz run TARGET FILE` replays it. */
function tell (target, output, folder) {
  console.log(output.split('\n').filter((line) => /panicked|ERROR|SUMMARY|^ *left:|^ *right:/.test(line)).join('\n'))
  console.log(output.slice(-3000))
  for (const name of fs.readdirSync(folder).filter((name) => /^(crash|timeout|oom|leak|slow)-/.test(name))) {
    console.log(`native: ${target}: ${name}, base64: ${fs.readFileSync(path.join(folder, name), 'base64')}`)
  }
}

main()
