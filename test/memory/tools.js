'use strict'

// The tools that watch a program in Node: how each is started, and what it wrote.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { buildThreadShim, hasRuntime, hasStdSources, kinds, libraryOfGcc, output, root, target } = require('./builds')
const { FRAME_FORMAT, ofSanitizer, ofValgrind } = require('./reports')

const PRELOAD = path.join(__dirname, 'addon.js')

/** A program that only loads what SENDFILE_NATIVE_ADDON names. */
const LOAD = ['-e', 'process.dlopen({ exports: {} }, process.env.SENDFILE_NATIVE_ADDON)']

/** The runtimes that go with a program are gcc's: those of rustc are for programs of Rust alone. */
function sanitizer (name, runtime, more = () => []) {
  const variable = `${name === 'address' ? 'ASAN' : 'TSAN'}_OPTIONS`
  return {
    command: (log) => ({
      file: process.execPath,
      args: [],
      env: {
        LD_PRELOAD: [libraryOfGcc(runtime), ...more()].join(' '),
        [variable]: `log_path=${log}:exitcode=0:${FRAME_FORMAT}`
      }
    }),
    parse: ofSanitizer
  }
}

function valgrind (kind) {
  return {
    title: `valgrind's memcheck, ${kind} build`,
    kind,
    mistakes: ['freed', 'undefined', 'leak'],
    missing: () => output('valgrind', '--version') === '' && 'valgrind is missing',
    command: (log) => ({
      file: 'valgrind',
      args: [
        '--quiet', '--xml=yes', `--xml-file=${log}.%p`, '--smc-check=all-non-file', '--max-stackframe=8388608',
        '--error-limit=no', '--leak-check=full', '--show-leak-kinds=definite', '--errors-for-leak-kinds=definite',
        process.execPath, '--jitless', '--no-warnings' // of what V8 compiles it could name no frame
      ],
      env: {}
    }),
    parse: ofValgrind,
    note: output('valgrind', '--version') === 'valgrind-3.19.0' &&
      'valgrind 3.19 refuses openat2(2) and cachestat(2): the ways without them are taken'
  }
}

const tools = {
  memcheck: valgrind('debug'),
  memcheckRelease: valgrind('release'),
  address: {
    ...sanitizer('address', 'libasan.so'),
    title: 'AddressSanitizer and LeakSanitizer in Node',
    kind: 'address',
    mistakes: ['freed', 'leak'],
    missing: () => (!hasRuntime('asan') && 'rustc has no AddressSanitizer here') ||
      (libraryOfGcc('libasan.so') === '' && 'gcc has no libasan.so')
  },
  thread: {
    ...sanitizer('thread', 'libtsan.so', () => [buildThreadShim()]),
    title: 'ThreadSanitizer in Node',
    kind: 'thread',
    mistakes: ['race'],
    missing: () => (!hasRuntime('tsan') && 'rustc has no ThreadSanitizer here') ||
      (!hasStdSources() && 'the sources of std are missing: rustup component add rust-src') ||
      (libraryOfGcc('libtsan.so') === '' && 'gcc has no libtsan.so')
  }
}

let runs = 0

/** Runs Node under a tool: `{ code, stdout, stderr, reports }`. */
async function watch (tool, addon, args, env = {}) {
  const logs = path.join(target, 'logs')
  fs.mkdirSync(logs, { recursive: true })
  const prefix = `run-${process.pid}-${runs++}`
  const command = tool.command(path.join(logs, prefix))
  const child = spawn(command.file, [...command.args, ...args], {
    cwd: root,
    env: { ...process.env, ...command.env, ...env, SENDFILE_NATIVE_ADDON: addon },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 1_800_000,
    killSignal: 'SIGKILL'
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => { said[stream] += text })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? signal))
  })
  const reports = []
  for (const file of fs.readdirSync(logs).filter((file) => file.startsWith(`${prefix}.`))) {
    const log = path.join(logs, file)
    reports.push(...tool.parse(fs.readFileSync(log, 'utf8')))
    fs.rmSync(log)
  }
  return { code, ...said, reports }
}

/** The program that takes every way, over the addon. */
function exercise (tool, addon, ...args) {
  return watch(tool, addon, ['--require', PRELOAD, path.join(__dirname, 'exercise.js'), ...args])
}

/** What the tool says of a mistake. */
async function reportsOf (tool, mistakes, name) {
  return (await watch(tool, mistakes, LOAD, { SENDFILE_NATIVE_MISTAKE: name })).reports
}

module.exports = { exercise, kinds, reportsOf, tools }
