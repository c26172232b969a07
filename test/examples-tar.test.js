'use strict'

// examples/tar.js: a folder as one archive, which is whole or broken off, and never a mixture.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const crypto = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { MIB, isNative, sha256, temporaryFolder, test, until } = require('./helpers')
const { assertChecksArguments, assertTellsOfTakenPort, assertWay, startServer } = require('./helpers/example-server')

const FILE = 'examples/tar.js'

/** More than the buffers of a connection take: such a file is not sent before its client reads. */
const LARGE = 24 * MIB

const MODIFIED = new Date('2020-02-02T02:02:02Z')

/** A folder of these: strings and Buffers are files, objects folders, `{ link }` symbolic links. */
function makeFolder (t, files, name = 'folder') {
  const folder = path.join(temporaryFolder(t), name)
  write(folder, files)
  return folder
}

function write (folder, files) {
  fs.mkdirSync(folder)
  for (const [name, contents] of Object.entries(files)) {
    const file = path.join(folder, name)
    if (typeof contents === 'string' || Buffer.isBuffer(contents)) fs.writeFileSync(file, contents)
    else if (typeof contents.link === 'string') fs.symlinkSync(contents.link, file)
    else write(file, contents)
  }
}

/** What is below a folder, by name: hashes, links, and times in seconds. */
function contentsOf (folder) {
  const found = {}
  const look = (file) => {
    const stat = fs.lstatSync(file)
    const is = { mode: stat.mode & 0o7777, seconds: Math.floor(stat.mtimeMs / 1000) }
    if (stat.isFile()) is.sha256 = sha256(fs.readFileSync(file))
    else if (stat.isSymbolicLink()) is.link = fs.readlinkSync(file)
    else if (!stat.isDirectory()) return
    found[path.relative(folder, file)] = is
    if (stat.isDirectory()) for (const name of fs.readdirSync(file)) look(path.join(file, name))
  }
  look(folder)
  return found
}

async function download (server) {
  const response = await server.ask(server.urls[0].pathname)
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) }
}

/** tar(1), whatever the language of the machine: `C` would show names as escapes. */
function runTar (...args) {
  return execFileSync('tar', ['--quoting-style=literal', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

test('examples/tar.js sends an archive that tar(1) unpacks to the same folder', async (t) => {
  const long = 'long-'.repeat(45)
  const folder = makeFolder(t, {
    large: crypto.randomBytes(3 * MIB + 77),
    'a block': crypto.randomBytes(512),
    'a byte less': crypto.randomBytes(511),
    'a byte more': crypto.randomBytes(513),
    empty: '',
    'an empty folder': {},
    sub: {
      'naïve café – 文件.txt': 'not ASCII',
      deep: { [long]: { [long]: { file: 'a name of more than 255 bytes', link: { link: '../file' } } } }
    },
    link: { link: 'sub/../large' },
    'a long link': { link: `sub/deep/${long}/${long}/${'x'.repeat(150)}` },
    'a link to elsewhere': { link: '/etc/passwd' },
    ['x'.repeat(100)]: 'as much as the field of a name takes',
    ['y'.repeat(101)]: 'and one more'
  }, 'Ordner für alle')
  fs.chmodSync(path.join(folder, 'a block'), 0o750)
  fs.utimesSync(path.join(folder, 'empty'), new Date(), new Date('2001-02-03T04:05:06.789Z'))
  execFileSync('mkfifo', [path.join(folder, 'fifo')])
  const expected = contentsOf(folder)
  const server = await startServer(t, FILE, ['0', folder])
  assert.equal(server.urls[0].pathname, `/${encodeURIComponent('Ordner für alle')}.tar`)

  const { status, headers, bytes } = await download(server)
  assert.deepEqual([status, headers['content-length'], headers['transfer-encoding']], [200, String(bytes.length), undefined])
  assert.equal(bytes.length % 512, 0)
  const place = temporaryFolder(t)
  const archive = path.join(place, 'archive.tar')
  fs.writeFileSync(archive, bytes)
  const withoutSlash = (name) => name.replace(/\/$/, '')
  const names = Object.keys(expected).map((name) => withoutSlash(path.join('Ordner für alle', name)))
  assert.deepEqual(runTar('-tf', archive).trim().split('\n').map(withoutSlash).sort(), names.sort())
  fs.mkdirSync(path.join(place, 'out'))
  runTar('-xpf', archive, '-C', path.join(place, 'out'))
  const unpacked = contentsOf(path.join(place, 'out', 'Ordner für alle'))
  // Of links tar(1) need not restore the times.
  for (const each of [...Object.values(unpacked), ...Object.values(expected)]) if (each.link) delete each.seconds
  assert.deepEqual(unpacked, expected)

  const head = await server.get(server.urls[0].pathname, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.length], [200, String(bytes.length), 0])
  assert.equal((await server.get('/')).status, 404)
  assert.equal((await server.get('/missing.tar')).status, 404)
  assert.equal((await server.get(server.urls[0].pathname, { method: 'POST' })).status, 405)
  const files = Object.keys(expected).filter((name) => expected[name].sha256)
  const total = files.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0)
  await server.printed(new RegExp(`, ${bytes.length} bytes, ${isNative ? 0 : total} of them copied$`, 'm'))
  await until(() => server.held(folder).length === 0)
  const { code, stderr, bytes: way } = await server.end()
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assertWay(way, total)
})

test('examples/tar.js sends folders with many files, one after the other on a connection', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`file ${i}`, crypto.randomBytes(i % 1100)]))
  const folder = makeFolder(t, files)
  const server = await startServer(t, FILE, ['0', folder])
  const archives = [await download(server), await download(server)]
  assert.equal(sha256(archives[0].bytes), sha256(archives[1].bytes))
  const place = temporaryFolder(t)
  fs.writeFileSync(path.join(place, 'archive.tar'), archives[0].bytes)
  runTar('-xpf', path.join(place, 'archive.tar'), '-C', place)
  assert.deepEqual(contentsOf(path.join(place, 'folder')), contentsOf(folder))
})

const append = (file) => fs.appendFileSync(file, crypto.randomBytes(4096))

/** What becomes of a file while one before it, or itself, is sent to a client that does not read. */
const changes = {
  'grows while it is sent': { name: 'b', change: append },
  'grows before its turn': { name: 'c', change: append },
  'shrinks while it is sent': { name: 'b', change: (file) => fs.truncateSync(file, LARGE - 1) },
  'shrinks before its turn': { name: 'c', change: (file) => fs.truncateSync(file, 10) },
  'is written to before its turn': { name: 'c', change: (file) => fs.writeFileSync(file, crypto.randomBytes(600)) },
  'is replaced before its turn': {
    name: 'c',
    change (file) {
      fs.cpSync(file, `${file}.new`, { preserveTimestamps: true })
      fs.renameSync(`${file}.new`, file)
    }
  },
  'becomes a link before its turn': {
    name: 'c',
    change (file) {
      fs.renameSync(file, `${file}.old`)
      fs.symlinkSync(`${file}.old`, file)
    }
  },
  'goes before its turn': { name: 'c', change: (file) => fs.unlinkSync(file) },
  'of no bytes gets some before its turn': { name: 'd', change: append }
}

for (const [what, { name, change }] of Object.entries(changes)) {
  test(`examples/tar.js breaks off when a file ${what}`, async (t) => {
    const folder = makeFolder(t, { a: 'first', b: crypto.randomBytes(LARGE), c: crypto.randomBytes(600), d: '' })
    // Such as a copy has, too.
    for (const each of fs.readdirSync(folder)) fs.utimesSync(path.join(folder, each), MODIFIED, MODIFIED)
    const server = await startServer(t, FILE, ['0', folder])
    const response = await server.ask(server.urls[0].pathname)
    await once(response, 'readable')
    await until(() => server.held(folder).includes(path.join(folder, 'b')))
    change(path.join(folder, name))
    let length = 0
    await assert.rejects(async () => {
      for await (const chunk of response) length += chunk.length
    }, { code: 'ECONNRESET' })
    assert.ok(length < Number(response.headers['content-length']))
    await server.printed(/^\/folder\.tar: .+/m, 'stderr')
    await until(() => server.held(folder).length === 0)
    assert.equal((await server.get('/folder.tar')).status, 200, 'and goes on')
    assert.equal((await server.end()).code, 0)
  })
}

test('examples/tar.js lets go of everything when its client leaves', async (t) => {
  const folder = makeFolder(t, { a: crypto.randomBytes(LARGE), b: crypto.randomBytes(LARGE) })
  const server = await startServer(t, FILE, ['0', folder])
  const response = await server.ask('/folder.tar')
  await once(response, 'readable')
  await until(() => server.held(folder).length > 0)
  response.destroy()
  await server.printed(/^\/folder\.tar: /m, 'stderr')
  await until(() => server.held(folder).length === 0)
  assert.equal((await server.get('/folder.tar')).length, LARGE * 2 + 3 * 512 + 1024)
  assert.equal((await server.end('SIGINT')).code, 0)
})

test('examples/tar.js refuses a folder with a name that is no text, before anything is sent', async (t) => {
  const folder = makeFolder(t, { file: 'a file' })
  fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x66, 0xff])]), 'of no name')
  const server = await startServer(t, FILE, ['0', folder])
  assert.equal((await server.get('/folder.tar')).status, 500)
  await server.printed(/^\/folder\.tar: ENOENT: /m, 'stderr')
})

test('examples/tar.js ends at once while it sends', async (t) => {
  const folder = makeFolder(t, { a: crypto.randomBytes(LARGE) })
  const server = await startServer(t, FILE, ['0', folder])
  const response = await server.ask('/folder.tar')
  await once(response, 'readable')
  const broken = assert.rejects(response.toArray(), { code: 'ECONNRESET' })
  assert.equal((await server.end()).code, 0)
  await broken
})

test('examples/tar.js says how to use it, and why it cannot listen', async (t) => {
  await assertChecksArguments(FILE, 'tar <port> <folder>')
  await assertTellsOfTakenPort(t, FILE)
})
