'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { libc } = require('../lib/libc')
const { MIB, root, run, sha256, temporaryFile, test } = require('./helpers')
const { addon, addonFile, installed } = require('./helpers/installed')

const target = /^sendfile-native\.(.*)\.node$/.exec(addonFile)[1]
const whole = fs.readFileSync(addon)

const PROBE = `
  const { sendfile, trySendfile, promises, watchWritable, EAGAIN } = require('sendfile-native')
  const report = (err) => console.log(err.code, '|', err.message, '|', err.cause?.code, err.cause?.message)
  for (const call of [() => sendfile(1, 0, 0, 0), () => sendfile(1, 0, 0, 1, () => {}), () => trySendfile(1, 0, 0, 1),
    () => watchWritable({})]) {
    try { call(); console.log('returned') } catch (err) { report(err) }
  }
  promises.sendfile(1, 0, 0, 1).then(() => console.log('resolved'), report)
`

/** How every way in does in that installation: what test/fixtures/copies.js prints. */
async function copies (t, folder, ...platform) {
  const env = { ...process.env }
  delete env.SENDFILE_NATIVE // which would be the reason otherwise
  const file = temporaryFile(t, MIB)
  const fixture = path.join(folder, 'copies.js')
  fs.cpSync(path.join(root, 'test', 'fixtures', 'copies.js'), fixture)
  const { stdout, stderr, code, signal } = await run([fixture, file.path, ...platform], { cwd: folder, env })
  assert.deepEqual({ stderr, code, signal }, { stderr: '', code: 0, signal: null })
  return { file, ...JSON.parse(stdout) }
}

/** That all of it arrived, copied, because there is no addon. */
function assertCopied ({ file, hashes, results, stats }) {
  const right = sha256(file.bytes)
  assert.deepEqual(hashes, { transferFile: right, serveFile: right, serveStatic: right, register: right })
  const copied = { bytesSent: MIB, zeroCopy: false, reason: 'unavailable' }
  assert.deepEqual(results, { transferFile: { ...copied, changed: false }, serveFile: { statusCode: 200, ...copied } })
  assert.equal(stats.bytes.sendfile + stats.bytes.send, 0)
  assert.ok(stats.bytes.copied >= 3 * MIB)
}

test('nothing of loading is still to be closed afterwards: whoever ends a worker then would leave it open', async (t) => {
  const program = `
    const fs = require('node:fs')
    const { Worker, isMainThread } = require('node:worker_threads')
    const files = () => fs.readdirSync('/proc/self/fd').map((fd) => {
      try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } // that of the folder itself
    }).filter((file) => file.startsWith('/') && !file.startsWith('/dev/') && !file.startsWith('/proc/')).sort().join()
    require('node:crypto').pbkdf2('', '', 1e6, 64, 'sha512', () => {}) // the one thread that could close is busy
    const before = files()
    require('sendfile-native')
    console.log(files() === before)
    if (isMainThread) new Worker(__filename)
  `
  const folder = installed(t, { [addonFile]: addon })
  fs.writeFileSync(path.join(folder, 'load.js'), program)
  const { stdout, stderr } = await run([path.join(folder, 'load.js')], { cwd: folder, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } })
  assert.deepEqual({ stdout, stderr }, { stdout: 'true\ntrue\n', stderr: '' })
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
  const half = whole.subarray(0, whole.length / 2)
  const rest = await run(program, { cwd: installed(t, { [addonFile]: half, [prebuilt]: addon }) })
  assert.equal(rest.stdout, `${prebuilt}\n`)
})

test('without an addon everything but the system call copies, and that says what was tried and what to do', async (t) => {
  const folder = installed(t)
  const all = await copies(t, folder)
  assertCopied(all)
  const local = path.join(folder, 'node_modules', 'sendfile-native', addonFile)
  const prebuilt = path.join(path.dirname(local), 'prebuilds', addonFile)
  const tried = `no addon loads on ${target}: tried ${local} (there is none) and ${prebuilt} (there is none). ` +
    'Addons come prebuilt for Linux on x64 and arm64, with glibc 2.28 or musl 1.2.5, or later; any other is built in a ' +
    'checkout of the repository, with Rust, by npm run compile'
  assert.deepEqual(all.sendfile, {
    code: 'ERR_SENDFILE_UNAVAILABLE',
    message: `sendfile-native is not available: ${tried}. transferFile, register and serveStatic go on, by copying`,
    cause: { code: 'MODULE_NOT_FOUND', message: tried }
  })
})

test('an addon that was cut short, or is none, is as one that is missing, and does not end the process', async (t) => {
  const cut = [0, 63, 64, 4096, Math.floor(whole.length / 2), whole.length - 1].map((bytes) => whole.subarray(0, bytes))
  for (const contents of [...cut, fs.readFileSync(__filename)]) {
    const all = await copies(t, installed(t, { [addonFile]: contents }))
    assertCopied(all)
    assert.equal(all.sendfile.code, 'ERR_SENDFILE_UNAVAILABLE')
    assert.equal(all.sendfile.cause.code, 'ERR_DLOPEN_FAILED', all.sendfile.message)
    const missing = all.sendfile.message.split('(there is none)').length - 1
    assert.equal(missing, 1, all.sendfile.message)
  }
})

test('each call that is native alone throws ERR_SENDFILE_UNAVAILABLE, or rejects with it', async (t) => {
  const { stdout, stderr, code } = await run(PROBE, { cwd: installed(t) })
  assert.deepEqual({ stderr, code }, { stderr: '', code: 0 })
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 5)
  for (const line of lines) assert.match(line, /^ERR_SENDFILE_UNAVAILABLE \| .* \| MODULE_NOT_FOUND no addon loads on /)
})

for (const platform of ['darwin', 'win32', 'sunos']) {
  test(`where the platform is ${platform} everything but the system call copies`, async (t) => {
    const all = await copies(t, installed(t, { [addonFile]: addon }), platform)
    assertCopied(all)
    const reason = `there is no addon for ${platform}-${process.arch}: sendfile-native is native on Linux`
    assert.deepEqual(all.sendfile, {
      code: 'ERR_SENDFILE_UNAVAILABLE',
      message: `sendfile-native is not available: ${reason}. transferFile, register and serveStatic go on, by copying`,
      cause: { message: reason }
    })
  })
}

test('the libc is that of this process, with /proc and without', async () => {
  const right = process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'
  assert.equal(libc(), right)
  const { stdout, stderr } = await run(`
    const { libc } = require('./lib/libc')
    const before = JSON.stringify(Object.entries(process.report))
    const asked = []
    require('node:fs').readFileSync = (file) => {
      asked.push(file)
      throw new Error('there is no /proc')
    }
    console.log(libc(), asked.join(), JSON.stringify(Object.entries(process.report)) === before)
  `)
  assert.deepEqual({ stdout, stderr }, { stdout: `${right} /proc/self/maps true\n`, stderr: '' })
})

test('where addons are disabled, the error says how to allow them', async () => {
  const { stdout, stderr } = await run(['--no-addons', '-e', PROBE])
  assert.equal(stderr, '')
  for (const line of stdout.trim().split('\n')) {
    assert.match(line, /^ERR_SENDFILE_UNAVAILABLE \| sendfile-native is not available: addons are disabled: with the permission model run node with --allow-addons, and without --no-addons \| ERR_DLOPEN_DISABLED/)
  }
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
