'use strict'

// The option `precompressed`: files that lie beside others, compressed.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('./helpers')
const { answersIn, ask, exchange } = require('./helpers/http')
const { assertFile, assertPassed, folderOf, serveFolder, serveOne } = require('./helpers/static')

const FILES = {
  'app.js': 'the file itself',
  'app.js.br': 'brotli',
  'app.js.zst': 'zstandard',
  'app.js.gz': 'gzip, and so on',
  'only.js': 'without others',
  'one.js': 'one',
  'one.js.gz': 'one by gzip'
}

/** A site where `ask(accepted, name)` says which coding the answer has: null for the file itself. */
async function codedSite (t, options = { precompressed: true }, files = FILES) {
  const site = await serveFolder(t, files, options)
  const accept = (accepted, name = '/app.js', { headers = [], ...more } = {}) => {
    const field = accepted === undefined ? [] : [`Accept-Encoding: ${accepted}`]
    return site.get(name, { headers: [...field, ...headers], ...more })
  }
  return { ...site, accept }
}

const SUFFIX = { br: '.br', zstd: '.zst', gzip: '.gz' }

/** That this is `/app.js`, coded so. */
function assertCoded (answer, coding, name = 'app.js', files = FILES) {
  assert.equal(answer.headers['content-encoding'], coding ?? undefined)
  assertFile(answer, files[`${name}${coding === null ? '' : SUFFIX[coding]}`])
  assert.equal(answer.headers['content-type'], 'text/javascript; charset=utf-8')
  assert.equal(answer.headers.vary, 'Accept-Encoding')
}

for (const [accepted, coding] of [
  [undefined, null],
  ['', null],
  ['identity', null],
  ['br', 'br'],
  ['zstd', 'zstd'],
  ['gzip', 'gzip'],
  ['BR', 'br'],
  ['GZip', 'gzip'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, deflate', 'gzip'],
  ['zstd, gzip', 'zstd'],
  ['deflate, compress', null],
  ['gzip;q=1, br;q=0.5', 'gzip'],
  ['gzip;q=0.001, br;q=0.002', 'br'],
  ['br;q=0.5, gzip ; q=0.8', 'gzip'],
  ['br;q=0', null],
  ['br;q=0.0, zstd;q=0.000, gzip;q=0', null],
  ['br;q=0, gzip', 'gzip'],
  ['*', 'br'],
  ['*;q=0.5, gzip', 'gzip'],
  ['*, br;q=0', 'zstd'],
  ['*;q=0, gzip', 'gzip'],
  ['*;q=0', null],
  ['identity, gzip;q=0.5', null],
  ['identity;q=0.5, gzip;q=0.8', 'gzip'],
  ['identity;q=0, gzip', 'gzip'],
  ['identity;q=0, *', 'br'],
  ['gzip;q=0.5, *;q=0', 'gzip'],
  [',, gzip ,', 'gzip'],
  ['x-br, brr, gzipx, b r', null]
]) {
  test(`Accept-Encoding: ${accepted === undefined ? 'missing' : JSON.stringify(accepted)} gets ${coding ?? 'the file itself'}`, async (t) => {
    const { accept } = await codedSite(t)
    assertCoded(await accept(accepted), coding)
  })
}

test('qualities that are none do no harm', async (t) => {
  const { accept } = await codedSite(t)
  for (const accepted of ['br;q=abc', 'br;q=', 'br;q', 'br;q=2', 'br;q=-1', ';', 'br;;q=1', 'gzip;q=1;q=0', '\u00ff', 'br;q=0.5;x=y', ','.repeat(5000)]) {
    const { status, headers } = await accept(accepted)
    assert.equal(status, 200, accepted)
    assert.equal(headers.vary, 'Accept-Encoding')
  }
})

test('a coding that there is no file of is not sent, and Vary says all the same what was asked', async (t) => {
  const { accept } = await codedSite(t)
  assertCoded(await accept('br, gzip, zstd', '/only.js'), null, 'only.js')
  assertCoded(await accept('br, zstd', '/one.js'), null, 'one.js')
  assertCoded(await accept('br, gzip;q=0.1', '/one.js'), 'gzip', 'one.js')
})

test('without the option neither is looked for', async (t) => {
  for (const options of [{}, { precompressed: false }, { precompressed: [] }]) {
    const { accept } = await codedSite(t, options)
    const answer = await accept('br, gzip')
    assertFile(answer, FILES['app.js'])
    assert.equal(answer.headers['content-encoding'], undefined)
    assert.equal(answer.headers.vary, undefined)
  }
})

test('a list says which to look for, the preferred first where the client has no preference', async (t) => {
  const { accept } = await codedSite(t, { precompressed: ['gzip', 'br'] })
  assertCoded(await accept('br, gzip, zstd'), 'gzip')
  assertCoded(await accept('br;q=1, gzip;q=0.9'), 'br')
  assertCoded(await accept('zstd'), null)
  assertCoded(await accept('*'), 'gzip')
})

test('each has a tag of its own, by which it is revalidated', async (t) => {
  const { accept } = await codedSite(t, { precompressed: true }, { 'app.js': 'same', 'app.js.br': 'size', 'app.js.gz': 'here' })
  const tags = {}
  for (const coding of ['br', 'gzip', 'identity']) tags[coding] = (await accept(coding)).headers.etag
  assert.equal(new Set(Object.values(tags)).size, 3, 'also of files that are as long and as old')
  for (const [coding, etag] of Object.entries(tags)) {
    for (const other of Object.keys(tags)) {
      const { status, headers } = await accept(other, '/app.js', { headers: [`If-None-Match: ${etag}`] })
      assert.equal(status, other === coding ? 304 : 200)
      assert.equal(headers.vary, 'Accept-Encoding')
      if (status === 304) assert.equal(headers['content-encoding'], undefined)
    }
  }
})

test('time and length are those of the file that is sent, and setHeaders is given its Stats', async (t) => {
  let seen
  const site = await codedSite(t, { precompressed: true, setHeaders: (res, file, stat) => { seen = { file, stat } } })
  const coded = path.join(site.folder, 'app.js.br')
  const later = new Date(2e12)
  fs.utimesSync(coded, later, later)
  const { headers } = await site.accept('br')
  assert.equal(headers['last-modified'], later.toUTCString())
  assert.equal(seen.stat.ino, fs.statSync(coded).ino)
  assert.ok([coded, path.join(site.folder, 'app.js')].includes(seen.file))
})

test('a file that was changed since it was compressed is sent as it is', async (t) => {
  const site = await codedSite(t, { precompressed: true })
  const coded = path.join(site.folder, 'app.js.br')
  const earlier = new Date(fs.statSync(path.join(site.folder, 'app.js')).mtimeMs - 1000)
  fs.utimesSync(coded, earlier, earlier)
  const { headers } = await site.accept('br')
  assert.equal(headers['content-encoding'], undefined)
  assert.equal(headers.vary, 'Accept-Encoding')
})

test('HEAD says what GET would', async (t) => {
  const { accept } = await codedSite(t)
  const { status, headers, body } = await accept('br', '/app.js', { method: 'HEAD' })
  assert.deepEqual({ status, length: headers['content-length'], coding: headers['content-encoding'], vary: headers.vary, body: body.length },
    { status: 200, length: '6', coding: 'br', vary: 'Accept-Encoding', body: 0 })
})

test('a range is of the coded file', async (t) => {
  const { accept } = await codedSite(t)
  const { status, headers, body } = await accept('gzip', '/app.js', { headers: ['Range: bytes=6-8'] })
  assert.deepEqual({ status, is: headers['content-range'], coding: headers['content-encoding'], body: String(body), vary: headers.vary },
    { status: 206, is: 'bytes 6-8/15', coding: 'gzip', body: 'and', vary: 'Accept-Encoding' })
  const several = await accept('gzip', '/app.js', { headers: ['Range: bytes=0-1,6-8'] })
  assert.deepEqual({ status: several.status, coding: several.headers['content-encoding'] }, { status: 206, coding: 'gzip' })
  assert.match(String(several.body), /Content-Range: bytes 0-1\/15\r\n\r\ngz\r\n.*Content-Range: bytes 6-8\/15\r\n\r\nand\r\n/s)
  assert.match(String(several.body), /Content-Type: text\/javascript; charset=utf-8\r\n/)
  const beyond = await accept('br', '/app.js', { headers: ['Range: bytes=6-'] })
  assert.deepEqual({ status: beyond.status, is: beyond.headers['content-range'] }, { status: 416, is: 'bytes */6' })
})

test('Vary that was set is added to', async (t) => {
  for (const [set, expected] of [
    ['Origin', ['accept-encoding', 'origin']], ['accept-encoding', ['accept-encoding']], ['*', ['*']],
    [['Origin', 'Cookie'], ['accept-encoding', 'cookie', 'origin']]
  ]) {
    const site = await serveFolder(t, FILES, { precompressed: true, setHeaders: (res) => res.setHeader('Vary', set) })
    const { fields } = await site.get('/app.js', { headers: ['Accept-Encoding: br'] })
    const names = fields.filter((field) => /^vary:/i.test(field)).flatMap((field) => field.slice(5).split(',')).map((name) => name.trim().toLowerCase())
    assert.deepEqual(names.sort(), expected)
  }
})

test('an index and a name with an extension behind it are found coded, too', async (t) => {
  const files = { 'index.html': 'index', 'index.html.br': 'coded index', 'page.html': 'page', 'page.html.gz': 'coded page' }
  const { accept } = await codedSite(t, { precompressed: true, extensions: ['html'] }, files)
  for (const [name, accepted, contents] of [['/', 'br', 'coded index'], ['/', 'gzip', 'index'], ['/page', 'gzip', 'coded page'], ['/page', 'br', 'page']]) {
    const answer = await accept(accepted, name)
    assertFile(answer, contents)
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8')
    assert.equal(answer.headers.vary, 'Accept-Encoding')
  }
})

test('a coded file that is asked for by its own name is a file as any other', async (t) => {
  const { accept } = await codedSite(t)
  const answer = await accept('gzip', '/app.js.gz')
  assertFile(answer, FILES['app.js.gz'])
  assert.equal(answer.headers['content-type'], 'application/gzip')
  assert.equal(answer.headers['content-encoding'], undefined)
})

test('what lies beside is sent only if it is a file inside the root', async (t) => {
  const outside = folderOf(t, { secret: 'MARKER' })
  const site = await codedSite(t, { precompressed: true }, {
    'a.js': 'a', 'a.js.br': {}, 'b.js': 'b', 'b.js.gz': { link: path.join(outside, 'secret') }, 'c.js': 'c', 'd.js': 'd',
    'd.js.br': { link: 'real' }, real: 'd coded', 'e.js': 'e', 'e.js.br': { link: 'nowhere' }, 'f.js': 'f', 'f.js.br': { link: 'f.js.br' },
    'g.js': 'g', 'g.js.gz': { link: path.relative(path.join('/', 'x', 'y'), '/') + path.join(outside, 'secret') }
  })
  assert.equal(spawnSync('mkfifo', [path.join(site.folder, 'c.js.br')]).status, 0)
  for (const [name, contents] of Object.entries({ a: 'a', b: 'b', c: 'c', d: 'd coded', e: 'e', f: 'f', g: 'g' })) {
    const answer = await site.accept('br, gzip', `/${name}.js`)
    assertFile(answer, contents)
    assert.equal(answer.headers['content-encoding'], name === 'd' ? 'br' : undefined)
  }
})

test('beside a folder nothing is looked for, nor in it under the bare extension', async (t) => {
  const site = await codedSite(t, { precompressed: true, index: false, redirect: false }, {
    '.gz': 'a dotfile', sub: { '.gz': 'a dotfile, too', '.br': 'and another' }, folder: {}, 'folder.gz': 'beside a folder'
  })
  for (const name of ['/', '/sub/', '/sub', '/folder', '/folder/']) assertPassed(await site.accept('br, gzip', name))
})

test('without the file itself there is nothing beside it', async (t) => {
  const site = await codedSite(t, { precompressed: true, dotfiles: 'allow' }, { 'lone.js.gz': 'beside nothing' })
  for (const accepted of ['gzip', 'identity', undefined]) assertPassed(await site.accept(accepted, '/lone.js'))
})

test('when the file beside comes, changes and goes, the next answer knows', async (t) => {
  const site = await codedSite(t, { precompressed: true }, { 'a.js': 'plain' })
  const coded = path.join(site.folder, 'a.js.br')
  const look = async () => {
    const { headers, body } = await site.accept('br', '/a.js')
    return [headers['content-encoding'], String(body)]
  }
  assert.deepEqual(await look(), [undefined, 'plain'])
  fs.writeFileSync(coded, 'first')
  assert.deepEqual(await look(), ['br', 'first'])
  fs.writeFileSync(coded, 'second')
  assert.deepEqual(await look(), ['br', 'second'])
  fs.rmSync(coded)
  assert.deepEqual(await look(), [undefined, 'plain'])
})

test('serveFile has the option, too, and a connection goes on between codings', async (t) => {
  const folder = folderOf(t, FILES)
  const site = await serveOne(t, path.join(folder, 'app.js'), { precompressed: true })
  const requests = ['br', 'identity', 'gzip'].map((coding) => ask('/', { last: false, headers: [`Accept-Encoding: ${coding}`] }))
  const answers = answersIn(await exchange(t, site.port, ...requests, ask('/')))
  assertCoded(answers[0], 'br')
  assertCoded(answers[1], null)
  assertCoded(answers[2], 'gzip')
  assertCoded(answers[3], null)
})
