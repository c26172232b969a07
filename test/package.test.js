'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root, run, temporaryFolder, test } = require('./helpers')

const manifest = require('sendfile-native/package.json')
const EXPORTS = [
  'EAGAIN', 'ReadStream', 'createReadStream', 'promises', 'sendfile', 'stats', 'transferFile', 'trySendfile', 'watchWritable'
]

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
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const parsed = JSON.parse(execFileSync('npm', pack, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] }))
  const [{ files }] = Array.isArray(parsed) ? parsed : Object.values(parsed)
  const names = files.map((file) => file.path)
  for (const needed of ['index.js', 'index.d.ts', 'promises.js', 'promises.d.ts', 'lib/binding.js', 'bin/sendfile-native.js',
    'lib/cli/main.js', 'LICENSE', 'README.md', 'CHANGELOG.md']) {
    assert.ok(names.includes(needed), needed)
  }
  assert.deepEqual(names.filter((name) => /^(src|test|bench|scripts|target)\//.test(name)), [])
})

test('building without cargo fails with one sentence that says what to install', async (t) => {
  const folder = temporaryFolder(t)
  fs.symlinkSync(process.execPath, path.join(folder, 'node'))
  const { code, stdout, stderr } = await run([path.join(root, 'scripts', 'build.js')], { env: { PATH: folder } })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^sendfile-native: building from source needs Rust 1\.88 or later [^\n]+ there is no cargo: install them, [^\n]+\n$/)
})
