'use strict'

// The crates: what cargo tells of them, and what cargo-deny says.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')
const REGISTRY = 'registry+https://github.com/rust-lang/crates.io-index'

function run (command, args, cwd = root) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 300_000 })
  return { error, status, stdout, stderr }
}

/** What the lock file resolves to; it throws where that does not agree with Cargo.toml. */
function metadata () {
  const { status, stdout, stderr } = run('cargo', ['metadata', '--locked', '--format-version', '1'])
  if (status !== 0) throw new Error(stderr.trim())
  return JSON.parse(stdout)
}

/** Crates that the addon is made of, those that run while it is built included, on one platform. */
function cratesOfAddon ({ packages, resolve }) {
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const addon = packages.find(({ name }) => name === 'sendfile-native')
  const found = new Set()
  const visit = (id) => {
    if (found.has(id)) return
    found.add(id)
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      if (kinds.some(({ kind, target }) => kind !== 'dev' && isOfLinux(target))) visit(pkg)
    }
  }
  visit(addon.id)
  const direct = addon.dependencies.filter(({ kind }) => kind !== 'dev').map(({ name }) => name)
  const crates = packages.filter(({ id }) => found.has(id) && id !== addon.id)
  return { direct, crates: crates.sort((a, b) => a.name < b.name ? -1 : 1) }
}

/** Whether a dependency for one target is one of Linux. */
function isOfLinux (target) {
  return target === null || !/windows|wasi|hermit|target_os = "(?!linux)|target_family = "wasm"/.test(target)
}

/** Crates that are not of the registry, or have no checksum. */
function strangers ({ packages }) {
  const lock = fs.readFileSync(path.join(root, 'Cargo.lock'), 'utf8')
  const entries = lock.split('[[package]]').slice(1)
  return [
    ...packages.filter(({ source }) => source !== null && source !== REGISTRY).map(({ name, source }) => `${name}: ${source}`),
    ...entries.filter((entry) => /^source = /m.test(entry) && !/^checksum = "[0-9a-f]{64}"$/m.test(entry))
      .map((entry) => `${/^name = "(.+)"$/m.exec(entry)[1]}: no checksum`)
  ]
}

/** cargo-deny with the project's settings, or others: `{ missing }` or `{ failure }`, null where it is content. */
function deny (checks, config = path.join(root, 'deny.toml')) {
  const { error, status, stderr } = run('cargo', ['deny', '--offline', '--config', config, 'check', ...checks])
  if (error || /no such command/.test(stderr)) return { missing: true }
  return { missing: false, failure: status === 0 ? null : stderr.slice(0, 4000) }
}

/** Whether cargo-deny refuses what it should: with a list that has no licence on it. */
function denySeesMistakes () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-deny-'))
  try {
    const config = path.join(folder, 'deny.toml')
    fs.writeFileSync(config, '[licenses]\nallow = []\n')
    return deny(['licenses'], config).failure !== null
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** Advisories, from their database: `{ missing }` where it cannot be had. */
function advisories () {
  const { status } = run('cargo', ['deny', 'fetch', 'db'])
  if (status !== 0) return { missing: true }
  return deny(['advisories'])
}

module.exports = { advisories, cratesOfAddon, deny, denySeesMistakes, metadata, strangers }
