'use strict'

// Builds of the addon, of its tests and of the mistakes, each for a tool, in target folders of their own below target/.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')
const target = path.join(root, 'target', 'memory')

const LIBRARY = 'libsendfile_native.so'

/** Sanitizers are options of a nightly rustc, which a stable one takes when it is told to bootstrap. */
const BOOTSTRAP = { RUSTC_BOOTSTRAP: '1' }

function output (command, ...args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}

const host = /^host: (.+)$/m.exec(output('rustc', '-vV'))?.[1]
const sysroot = output('rustc', '--print', 'sysroot')

/** Whether rustc has the runtime of a sanitizer, such as 'asan'. */
function hasRuntime (name) {
  const folder = path.join(sysroot, 'lib', 'rustlib', host, 'lib')
  return fs.readdirSync(folder).some((file) => file.endsWith(`_rt.${name}.a`))
}

/** Whether the sources of std are there, to be built with a sanitizer as well: `rustup component add rust-src`. */
function hasStdSources () {
  return fs.existsSync(path.join(sysroot, 'lib', 'rustlib', 'src', 'rust', 'library', 'std', 'Cargo.toml'))
}

/** Where gcc has one of its libraries; '' where it has not. */
function libraryOfGcc (name) {
  const file = output('gcc', `-print-file-name=${name}`)
  return path.isAbsolute(file) ? fs.realpathSync(file) : ''
}

function run (command, args, env = {}) {
  const { error, status, stderr } = spawnSync(command, args, {
    cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 1_200_000
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}

/** What cargo needs to build for a tool: its arguments, its environment, and where the library is then. */
const kinds = {
  debug: { args: [], env: {}, folder: path.join(root, 'target', 'debug') },
  /** As it is published, but with names and lines. */
  release: {
    args: ['--release', '--target-dir', path.join(target, 'release')],
    env: { CARGO_PROFILE_RELEASE_STRIP: 'none', CARGO_PROFILE_RELEASE_DEBUG: '1', RUSTFLAGS: '-Cdwarf-version=4' },
    folder: path.join(target, 'release', 'release')
  },
  address: {
    args: ['--target', host, '--target-dir', path.join(target, 'address')],
    env: { ...BOOTSTRAP, RUSTFLAGS: '-Zsanitizer=address' },
    folder: path.join(target, 'address', `${host}`, 'debug')
  },
  /** With std: what it synchronizes by its own means would not be seen otherwise. */
  thread: {
    args: ['-Zbuild-std', '--target', host, '--target-dir', path.join(target, 'thread')],
    env: { ...BOOTSTRAP, RUSTFLAGS: '-Zsanitizer=thread' },
    folder: path.join(target, 'thread', `${host}`, 'debug')
  }
}

/** Builds the addon, and returns its file. */
function buildAddon (kind) {
  const { args, env, folder } = kinds[kind]
  run('cargo', ['build', '--locked', '--quiet', ...args], env)
  return path.join(folder, LIBRARY)
}

/** Builds the mistakes for the same tool. */
function buildMistakes (kind) {
  const file = path.join(target, `mistakes-${kind}.so`)
  const sanitizer = {
    address: ['--target', host, '-Zsanitizer=address'],
    thread: ['--target', host, '-Zsanitizer=thread', '-Cunsafe-allow-abi-mismatch=sanitizer']
  }[kind]
  const args = ['--edition', '2021', '--crate-type', 'cdylib', '-g', '-Cdwarf-version=4', ...sanitizer ?? []]
  fs.mkdirSync(target, { recursive: true })
  run('rustc', [...args, '-o', file, path.join(__dirname, 'mistakes.rs')], sanitizer ? BOOTSTRAP : {})
  return file
}

/** Builds what the runtime of gcc lacks of that of LLVM. */
function buildThreadShim () {
  const file = path.join(target, 'thread-shim.so')
  fs.mkdirSync(target, { recursive: true })
  run('gcc', ['-shared', '-fPIC', '-O2', '-fno-builtin', '-o', file, path.join(__dirname, 'thread-shim.c')])
  return file
}

module.exports = {
  buildAddon,
  buildMistakes,
  buildThreadShim,
  hasRuntime,
  hasStdSources,
  kinds,
  libraryOfGcc,
  output,
  root,
  target
}
