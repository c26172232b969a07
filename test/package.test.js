'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { root, run, temporaryFolder, test } = require('./helpers')
const { LIST, listOf, packedFiles } = require('../scripts/package-files')

const manifest = require('sendfile-native/package.json')
const EXPORTS = [
  'EAGAIN', 'ReadStream', 'createReadStream', 'promises', 'sendfile', 'stats', 'transferFile', 'trySendfile', 'watchWritable'
]

/** As in scripts/prebuild.js. */
const MOST_ADDON_BYTES = 700_000

/** The files that a document links to, as it names them. */
function linksOf (document) {
  const links = fs.readFileSync(path.join(root, document), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)
  return [...links].map(([, link]) => link.split('#')[0]).filter((link) => link !== '' && !/^\w+:/.test(link))
}

test('require and import give the same names, of each entry point', async () => {
  assert.deepEqual(Object.keys(require('sendfile-native')).sort(), EXPORTS)
  const entries = Object.keys(manifest.exports).filter((name) => name !== './package.json')
  const { stdout, stderr } = await run(['--input-type=module', '-e', `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const entry of ${JSON.stringify(entries)}) {
      const name = entry.replace('.', 'sendfile-native')
      const required = require(name)
      const imported = await import(name)
      const names = Object.keys(imported).filter((name) => name !== 'default' && name !== 'module.exports')
      console.log(name, names.join() === Object.keys(required).sort().join(), imported.default === required,
        names.every((name) => imported[name] === required[name]))
    }
  `])
  assert.equal(stderr, '')
  assert.equal(stdout, ['', '/promises', '/register', '/static'].map((name) => `sendfile-native${name} true true true\n`).join(''))
})

test('the published package runs no script when it is installed', () => {
  for (const script of ['preinstall', 'install', 'postinstall']) assert.equal(manifest.scripts[script], undefined)
})

test('the published package has the files that it is to have, and the addons if they are built', () => {
  const files = packedFiles()
  assert.equal(listOf(files), fs.readFileSync(LIST, 'utf8'), 'npm run package:files -- --write makes the list as it is now')
  const addons = files.filter(({ path }) => path.startsWith('prebuilds/'))
  if (addons.length === 0) return
  const targets = ['linux-arm64-gnu', 'linux-arm64-musl', 'linux-x64-gnu', 'linux-x64-musl']
  const names = targets.map((target) => `prebuilds/sendfile-native.${target}.node`)
  assert.deepEqual(addons.map(({ path }) => path).sort(), names)
  for (const { path, size } of addons) assert.ok(size < MOST_ADDON_BYTES, `${path}: ${size}`)
})

test('what the published documents link to is published with them', () => {
  const names = fs.readFileSync(LIST, 'utf8').trim().split('\n')
  const documents = names.filter((name) => name.endsWith('.md'))
  const links = documents.flatMap((document) => linksOf(document).map((link) => ({ document, link })))
  const dead = links.filter(({ document, link }) => !names.includes(path.join(path.dirname(document), link)))
  assert.deepEqual(dead, [])
  assert.ok(links.length > documents.length)
})

test('the workflows run scripts that there are', () => {
  const folder = path.join(root, '.github', 'workflows')
  const text = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name), 'utf8')).join('\n')
  const names = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name)
  assert.deepEqual(names.filter((name) => manifest.scripts[name] === undefined), [])
  assert.ok(names.length > 4)
})

test('building without cargo fails with one sentence that says what to install', async (t) => {
  const folder = temporaryFolder(t)
  fs.symlinkSync(process.execPath, path.join(folder, 'node'))
  const { code, stdout, stderr } = await run([path.join(root, 'scripts', 'build.js')], { env: { PATH: folder } })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^sendfile-native: building from source needs Rust 1\.88 or later [^\n]+ there is no cargo: install them, [^\n]+\n$/)
})
