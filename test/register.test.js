'use strict'

// sendfile-native/register, as programs use it.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { MIB, isNative, root, run, sha256, temporaryFile, temporaryFolder, test } = require('./helpers')
const reading = require('./fixtures/reasons')

const REGISTER = path.join(root, 'register.js')
const REQUIRED = ['--require', REGISTER]

/** Serves files by `create`, fetches one, and tells what went as regions. */
const PROGRAM = `
  const http = require('node:http')
  const crypto = require('node:crypto')
  const { once } = require('node:events')
  const { stats } = require(${JSON.stringify(root)})
  async function fetchBy (create) {
    const before = stats().streams.bytes
    const server = http.createServer(async (req, res) => (await create(process.env.FILE)).pipe(res))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const request = http.get({ port: server.address().port, agent: false })
    const [response] = await once(request, 'response')
    const hash = crypto.createHash('sha256')
    for await (const chunk of response) hash.update(chunk)
    server.close()
    return { sha256: hash.digest('hex'), bytes: stats().streams.bytes - before }
  }
  const tell = (value) => console.log(JSON.stringify(value))
`

function fixture (t) {
  const file = temporaryFile(t, 5 * MIB)
  const bytes = { sha256: sha256(file.bytes), bytes: 0 }
  return { env: { ...process.env, FILE: file.path }, bytes, native: { ...bytes, bytes: isNative ? 5 * MIB : 0 } }
}

async function answers (args, options) {
  const { code, stdout, stderr } = await run(args, options)
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  return stdout.trim().split('\n').map((line) => JSON.parse(line))
}

const ways = {
  'fs.createReadStream': '(file) => fs.createReadStream(file)',
  'a function taken from fs before': '(file) => taken(file)',
  'new fs.ReadStream': '(file) => new fs.ReadStream(file)',
  'a subclass, as of graceful-fs': '(file) => new Graceful(file)',
  'filehandle.createReadStream': 'async (file) => (await fs.promises.open(file)).createReadStream({ start: 0 })',
  'our own createReadStream': '(file) => require("sendfile-native").createReadStream(file)'
}
for (const [name, create] of Object.entries(ways)) {
  test(`register reaches ${name}`, async (t) => {
    const { env, native } = fixture(t)
    const [answer] = await answers(`
      const fs = require('node:fs')
      const { createReadStream: taken } = fs
      function Graceful (file, options) { fs.ReadStream.call(this, file, options) }
      Object.setPrototypeOf(Graceful.prototype, fs.ReadStream.prototype)
      Graceful.prototype.open = function () {
        fs.open(this.path, this.flags, this.mode, (err, fd) => {
          if (err) return this.destroy(err)
          this.fd = fd
          this.emit('open', fd)
          this.emit('ready')
        })
      }
      require(${JSON.stringify(REGISTER)})
      ${PROGRAM}
      fetchBy(${create}).then(tell)
    `, { env })
    assert.deepEqual(answer, native)
  })
}

test('--require, --import, NODE_OPTIONS, require() at the top, and an ES module', async (t) => {
  const { env, native, bytes } = fixture(t)
  const folder = temporaryFolder(t)
  const program = path.join(folder, 'program.cjs')
  fs.writeFileSync(program, `const fs = require('node:fs')\n${PROGRAM}\nfetchBy((file) => fs.createReadStream(file)).then(tell)`)
  const module = path.join(folder, 'program.mjs')
  fs.writeFileSync(module, `
    import { createRequire } from 'node:module'
    import { createReadStream } from 'node:fs'
    const require = createRequire(import.meta.url)
    ${PROGRAM}
    tell(await fetchBy((file) => createReadStream(file)))
  `)
  const url = require('node:url').pathToFileURL(REGISTER).href
  assert.deepEqual(await answers([program], { env }), [bytes])
  assert.deepEqual(await answers([...REQUIRED, program], { env }), [native])
  assert.deepEqual(await answers([...REQUIRED, module], { env }), [native])
  assert.deepEqual(await answers([program], { env: { ...env, NODE_OPTIONS: `--require ${REGISTER}` } }), [native])
  if (process.allowedNodeEnvironmentFlags.has('--import')) {
    assert.deepEqual(await answers(['--import', url, module], { env }), [native])
  }
})

test('once is enough, unregister() restores, and registering again works', async (t) => {
  const { env, native, bytes } = fixture(t)
  const seen = await answers(`
    const fs = require('node:fs')
    const { _read, _construct } = fs.ReadStream.prototype
    const { register, unregister } = require(${JSON.stringify(REGISTER)})
    ${PROGRAM}
    const fetch = () => fetchBy((file) => fs.createReadStream(file)).then(tell)
    async function main () {
      register()
      register()
      await fetch()
      unregister()
      unregister()
      await fetch()
      tell(fs.ReadStream.prototype._read === _read && fs.ReadStream.prototype._construct === _construct)
      register()
      await fetch()
      const ours = fs.ReadStream.prototype._read
      fs.ReadStream.prototype._read = function (size) { return ours.call(this, size) }
      await fetch() // somebody stands before it
      unregister()
      await fetch()
      register()
      await fetch()
    }
    main()
  `, { env })
  assert.deepEqual(seen, [native, bytes, true, native, bytes, bytes, bytes])
})

test('workers and the processes of a cluster have it too', async (t) => {
  const { env, native } = fixture(t)
  const folder = temporaryFolder(t)
  const program = path.join(folder, 'program.js')
  fs.writeFileSync(program, `
    const fs = require('node:fs')
    const cluster = require('node:cluster')
    const { Worker, isMainThread } = require('node:worker_threads')
    ${PROGRAM}
    if (process.argv[2] === 'worker' && isMainThread) new Worker(__filename)
    else if (process.argv[2] === 'cluster' && cluster.isPrimary) cluster.fork()
    else fetchBy((file) => fs.createReadStream(file)).then(tell).then(() => cluster.worker?.disconnect())
  `)
  for (const kind of ['worker', 'cluster']) {
    assert.deepEqual(await answers([...REQUIRED, program, kind], { env }), [native], kind)
  }
})

test('SENDFILE_NATIVE_DEBUG=1 tells at exit what went natively, what was copied, and why', async (t) => {
  const { env } = fixture(t)
  const { stdout, stderr } = await run([...REQUIRED, '-e', `
    const fs = require('node:fs')
    ${PROGRAM}
    const { PassThrough } = require('node:stream')
    fetchBy((file) => fs.createReadStream(file))
      .then(() => fetchBy((file) => fs.createReadStream(file).pipe(new PassThrough())))
      .then(() => fetchBy((file) => fs.createReadStream(file, { encoding: 'latin1' })))
      .then(() => console.log('done'))
  `], { env: { ...env, SENDFILE_NATIVE_DEBUG: '1' } })
  assert.equal(stdout, 'done\n')
  const [, json] = /^sendfile-native: (.*)\n$/.exec(stderr)
  const told = JSON.parse(json)
  if (isNative) {
    assert.deepEqual(told, {
      native: { regions: 1, bytes: 5 * MIB },
      copied: { bytes: 10 * MIB, 'not-a-socket': 5 * MIB, consumer: 5 * MIB },
      disabled: null
    })
  } else {
    assert.deepEqual(told, { native: { regions: 0, bytes: 0 }, copied: { bytes: 15 * MIB, disabled: 15 * MIB }, disabled: 'disabled' })
  }
})

/** The reasons that the code can give for reading bytes: what these files return. */
function reasonsInCode () {
  const files = ['region-read.js', 'pipe-destination.js', 'eligibility.js']
  const code = files.map((file) => fs.readFileSync(path.join(root, 'lib', file), 'utf8')).join('')
  const reasons = new Set([...code.matchAll(/(?:return |[?:] )'([a-z0-9-]+)'/g)].map(([, reason]) => reason))
  reasons.delete('drain') // no bytes are read then
  return [...reasons].sort()
}

/** The first group of each match. */
function listed (file, pattern) {
  return [...fs.readFileSync(path.join(root, file), 'utf8').matchAll(pattern)].map(([, reason]) => reason).sort()
}

test('every reason that the code can give is explained in register.d.ts and in docs/register.md', () => {
  assert.deepEqual(listed('register.d.ts', /^ \* - `'([a-z0-9-]+)'`: /gm), reasonsInCode())
  assert.deepEqual(listed('docs/register.md', /^\| `([a-z0-9-]+)` \| /gm), reasonsInCode())
})

test('every reason is told where it is said to be, and no other', async () => {
  const ofProcess = (reason, args, set) => ({ name: 'another Writable', reason, args, set, disabled: reason })
  const situations = [
    ...reading,
    ofProcess('disabled', [], { SENDFILE_NATIVE: 'off' }),
    ofProcess('unavailable', ['--no-addons']),
    ofProcess('runtime', ['--require', require.resolve('./fixtures/other-runtime.js')])
  ]
  assert.deepEqual([...new Set(situations.map(({ reason }) => reason))].sort(), reasonsInCode())
  const env = { ...process.env, SENDFILE_NATIVE_DEBUG: '1' }
  delete env.SENDFILE_NATIVE // which would be the only reason otherwise
  for (const { name, reason, args = [], set = {}, disabled = null } of situations) {
    const program = [...args, ...REQUIRED, require.resolve('./fixtures/reasons.js'), name]
    const { code, stdout, stderr } = await run(program, { env: { ...env, ...set }, timeout: 30_000 })
    const [, json] = /^sendfile-native: (.*)\n$/.exec(stderr) ?? assert.fail(`${name}: ${stderr}`)
    const told = JSON.parse(json)
    const { bytes } = told.copied
    assert.ok(bytes > 0, name)
    assert.deepEqual({ name, code, stdout, ...told },
      { name, code: 0, stdout: '', native: { regions: 0, bytes: 0 }, copied: { bytes, [reason]: bytes }, disabled })
  }
})

test('a stream that goes natively between two reads of bytes is counted once', async (t) => {
  const { env } = fixture(t)
  const { code, stderr } = await run([...REQUIRED, '-e', `
    const fs = require('node:fs')
    ${PROGRAM}
    fs.truncateSync(process.env.FILE, ${40 * MIB})
    fetchBy((file) => {
      const stream = fs.createReadStream(file)
      const listener = () => stream.off('data', listener) // of one chunk, as bytes
      stream.on('data', listener)
      const again = setInterval(() => {
        if (stats().streams.regions === 0 && ${isNative}) return
        clearInterval(again)
        stream.on('data', () => {})
      })
      return stream
    })
  `], { env: { ...env, SENDFILE_NATIVE_DEBUG: '1' } })
  assert.equal(code, 0, stderr)
  const { native, copied } = JSON.parse(/^sendfile-native: (.*)\n$/.exec(stderr)[1])
  assert.equal(native.bytes > 0, isNative)
  assert.equal(native.bytes + copied.bytes, 40 * MIB)
})

test('a program that only reads bytes reads the same, and holds nothing', async (t) => {
  const { env, bytes } = fixture(t)
  const [answer] = await answers([...REQUIRED, '-e', `
    const fs = require('node:fs')
    ${PROGRAM}
    async function main () {
      const hash = crypto.createHash('sha256')
      for await (const chunk of fs.createReadStream(process.env.FILE)) hash.update(chunk)
      tell({ sha256: hash.digest('hex'), bytes: stats().streams.bytes })
    }
    main()
  `], { env })
  assert.deepEqual(answer, bytes)
})
