'use strict'

// The package as it is published, installed in an empty folder where nothing can be compiled, sends a file with the
// first program of its README: npm run prebuild && npm run test:installed
//
// npm run test:installed -- [--tarball <file>] [--online] [<node> ...]: a node is a major version, `current`, `musl`,
// `arm64`, `arm64-musl` or `windows`. --tarball: rather than what lies here, a file, or a folder with one in it.
// --online: dependencies are the registry's. What this machine cannot run is a note, unless it was asked for.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { firstProgram } = require('./installed/first-program')
const { defaultNames, nodeNamed } = require('./installed/nodes')
const { packDependencies, packPackage } = require('./installed/tarballs')

const npm = process.env.npm_execpath
const HEAD = ['Node', 'libc', 'arch', 'how', 'addon', 's to the first byte', 'zero copy', 'bytes']

function row (cells) {
  return `| ${cells.join(' | ')} |`
}

/** Whether it went as it should there. */
function isAsItShould ({ platform, isRight, isZeroCopy, reason }) {
  return isRight && (platform === 'linux' ? isZeroCopy : reason === 'unavailable')
}

async function tried (node, installation) {
  const folder = fs.mkdtempSync(path.join(node.parent, 'sendfile-installed-'))
  try {
    return await firstProgram(node, folder, installation)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function cellsOf (how, { version, libc, arch, addon, seconds, isZeroCopy, reason, isRight }) {
  return [version, libc, arch, how, addon || 'none', seconds.toFixed(1), isZeroCopy ? 'yes' : `no: ${reason}`,
    isRight ? 'right' : 'wrong']
}

/** Installs what `args` of npm name with each of the nodes, and prints how that went. */
async function tryAll (names, installation, isAskedFor) {
  const rows = []
  for (const name of names) {
    let node
    try {
      node = nodeNamed(name)
    } catch (err) {
      console.log(`${isAskedFor ? 'not ok' : 'note'}: ${name}: ${err.message}`)
      if (isAskedFor) process.exitCode = 1
      continue
    }
    try {
      const result = await tried(node, installation)
      rows.push(cellsOf(node.how, result))
      if (!isAsItShould(result)) throw new Error('it did not go as it should')
      console.log(`ok: ${name}`)
    } catch (err) {
      console.log(`not ok: ${name}: ${err.message}`)
      process.exitCode = 1
    }
  }
  console.log(['', row(HEAD), row(HEAD.map(() => '---')), ...rows.map(row)].join('\n'))
}

function tarballOf (given) {
  const place = path.resolve(given)
  if (!fs.statSync(place).isDirectory()) return place
  return path.join(place, fs.readdirSync(place).find((name) => name.endsWith('.tgz')))
}

async function main () {
  const options = { tarball: { type: 'string' }, online: { type: 'boolean' } }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (!npm) throw new Error('this is run by npm: npm run test:installed')
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-installed-'))
  try {
    const tarball = values.tarball ? tarballOf(values.tarball) : packPackage(npm, path.join(scratch, 'package'))
    const offline = () => ['--offline', '--cache', path.join(scratch, 'cache'),
      ...packDependencies(npm, path.join(scratch, 'dependencies'))]
    const args = [tarball, ...(values.online ? [] : offline())]
    console.log(`${path.basename(tarball)}: ${Math.round(fs.statSync(tarball).size / 1024)} KiB`)
    const isAskedFor = positionals.length > 0
    await tryAll(isAskedFor ? positionals : defaultNames(), { npm, args }, isAskedFor)
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

main()
