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

/** A copy of the package as it is published, with the addons that `addons` names. */
function installed (t, addons = {}) {
  const folder = path.join(temporaryFolder(t), 'node_modules', 'sendfile-native')
  for (const entry of ['package.json', 'index.js', 'promises.js', 'lib']) {
    fs.cpSync(path.join(root, entry), path.join(folder, entry), { recursive: true })
  }
  const libc = path.dirname(require.resolve('detect-libc/package.json'))
  fs.cpSync(libc, path.join(folder, '..', 'detect-libc'), { recursive: true })
  for (const [file, source] of Object.entries(addons)) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.cpSync(source, path.join(folder, file))
  }
  return path.join(folder, '..', '..')
}

const addonFile = fs.readdirSync(root).find((file) => file.endsWith('.node'))
const addon = path.join(root, addonFile)

const PROBE = `
  const { sendfile, trySendfile, promises, watchWritable, EAGAIN } = require('sendfile-native')
  const report = (err) => console.log(err.code, '|', err.message, '|', err.cause?.code, err.cause?.message)
  for (const call of [() => sendfile(1, 0, 0, 0), () => sendfile(1, 0, 0, 1, () => {}), () => trySendfile(1, 0, 0, 1),
    () => watchWritable({})]) {
    try { call(); console.log('returned') } catch (err) { report(err) }
  }
  promises.sendfile(1, 0, 0, 1).then(() => console.log('resolved'), report)
`

test('require and import give the same names', async () => {
  assert.deepEqual(Object.keys(require('sendfile-native')).sort(), EXPORTS)
  const { stdout, stderr } = await run(['--input-type=module', '-e', `
    import { createRequire } from 'node:module'
    import { EAGAIN, promises, sendfile, trySendfile, watchWritable } from 'sendfile-native'
    import { sendfile as promised } from 'sendfile-native/promises'
    import whole from 'sendfile-native'
    const required = createRequire(import.meta.url)('sendfile-native')
    console.log(whole === required, sendfile === required.sendfile, promised === promises.sendfile,
      EAGAIN === required.EAGAIN, trySendfile === required.trySendfile, watchWritable === required.watchWritable)
  `])
  assert.equal(stderr, '')
  assert.equal(stdout, 'true true true true true true\n')
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

test('a local build is taken before a prebuilt one, and a prebuilt one where there is no other', async (t) => {
  const program = `
    require('sendfile-native')
    console.log(Object.keys(require.cache).filter((file) => file.endsWith('.node')).map((file) => file.split('sendfile-native/')[1]).join())
  `
  const prebuilt = `prebuilds/${addonFile}`
  const both = await run(program, { cwd: installed(t, { [addonFile]: addon, [prebuilt]: addon }) })
  assert.equal(both.stdout, `${addonFile}\n`)
  const one = await run(program, { cwd: installed(t, { [prebuilt]: addon }) })
  assert.equal(one.stdout, `${prebuilt}\n`)
})

test('without an addon the package loads, and its calls throw ERR_SENDFILE_UNAVAILABLE with the reason', async (t) => {
  const reasons = [
    [installed(t), /^undefined no addon for linux-\w+-(gnu|musl): tried .*\.node and .*prebuilds.*\.node$/],
    [installed(t, { [addonFile]: __filename }), /^ERR_DLOPEN_FAILED /]
  ]
  for (const [cwd, reason] of reasons) {
    const { stdout, stderr, code } = await run(PROBE, { cwd })
    assert.deepEqual({ stderr, code }, { stderr: '', code: 0 })
    const lines = stdout.trim().split('\n')
    assert.equal(lines.length, 5)
    for (const line of lines) {
      const [errorCode, message, cause] = line.split(' | ')
      assert.equal(errorCode, 'ERR_SENDFILE_UNAVAILABLE')
      assert.equal(message, 'sendfile-native is not available: the native addon did not load')
      assert.match(cause, reason)
    }
  }
})

test('where addons are disabled, the error says how to allow them', async () => {
  const { stdout, stderr } = await run(['--no-addons', '-e', PROBE])
  assert.equal(stderr, '')
  for (const line of stdout.trim().split('\n')) {
    assert.match(line, /^ERR_SENDFILE_UNAVAILABLE \| sendfile-native is not available: addons are disabled: with the permission model run node with --allow-addons, and without --no-addons \| ERR_DLOPEN_DISABLED/)
  }
})

test('without an addon transferFile copies', async () => {
  const env = { ...process.env }
  delete env.SENDFILE_NATIVE // which would be the reason otherwise
  const { stdout, stderr } = await run(['--no-addons', '-e', `
    const fs = require('node:fs')
    const http = require('node:http')
    const { transferFile, stats } = require('sendfile-native')
    const results = []
    const server = http.createServer(async (req, res) => {
      results.push(await transferFile(res, 'README.md'))
      results.push(await transferFile(res, 'missing').catch((err) => err.code))
    }).listen(0, '127.0.0.1', () => {
      http.get({ port: server.address().port, host: '127.0.0.1' }, async (res) => {
        const chunks = []
        for await (const chunk of res) chunks.push(chunk)
        server.close()
        console.log(Buffer.concat(chunks).equals(fs.readFileSync('README.md')), JSON.stringify(results[0]), stats().bytes.copied > 0)
      })
    })
  `], { env })
  assert.equal(stderr, '')
  const { size } = fs.statSync(path.join(root, 'README.md'))
  const result = { bytesSent: size, zeroCopy: false, reason: 'unavailable', changed: false }
  assert.equal(stdout, `true ${JSON.stringify(result)} true\n`)
})

test('under the permission model it needs --allow-addons', async (t) => {
  const flag = ['--permission', '--experimental-permission'].find((flag) => process.allowedNodeEnvironmentFlags.has(flag))
  if (flag === undefined) return t.skip(`Node ${process.version} has no permission model`)
  const refused = await run([flag, '--allow-fs-read=*', '-e', PROBE])
  assert.match(refused.stdout, /run node with --allow-addons/)
  const allowed = await run([flag, '--allow-fs-read=*', '--allow-addons', '-e', `
    const { trySendfile } = require('sendfile-native')
    console.log(trySendfile(1, 999999, 0, 1))
  `])
  assert.equal(allowed.stdout, '-9\n')
})

test('on a platform that has no addon, the reason names it', async () => {
  const { stdout } = await run(`Object.defineProperty(process, 'platform', { value: 'sunos' })\n${PROBE}`)
  assert.match(stdout, /\| undefined no addon for sunos: sendfile-native is native on Linux\n/)
})

test('loaded twice, by the main thread and by workers, it is one addon', async () => {
  const { code, stdout, stderr } = await run(`
    const { Worker } = require('node:worker_threads')
    const fs = require('node:fs')
    const program = "const { sendfile } = require('sendfile-native'); const fs = require('node:fs');" +
      "sendfile(fs.openSync('/dev/null', 'w'), fs.openSync(process.execPath), 0, 10, (err, n) => { if (n !== 10) throw err })"
    eval(program)
    Promise.all(Array.from({ length: 8 }, () => new Promise((resolve, reject) => {
      new Worker(program, { eval: true }).on('exit', resolve).on('error', reject)
    }))).then((codes) => console.log(codes.join()))
  `)
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '0,0,0,0,0,0,0,0\n', stderr: '' })
})

test('building without cargo fails with one sentence that says what to install', async (t) => {
  const folder = temporaryFolder(t)
  fs.symlinkSync(process.execPath, path.join(folder, 'node'))
  const { code, stdout, stderr } = await run([path.join(root, 'scripts', 'build.js')], { env: { PATH: folder } })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^sendfile-native: building from source needs Rust 1\.88 or later [^\n]+ there is no cargo: install them, [^\n]+\n$/)
})
