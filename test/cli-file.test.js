'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { MIB, temporaryFolder, test } = require('./helpers')
const { startCli } = require('./helpers/cli')

/** The program over one file. */
async function shareFile (t, name, bytes) {
  const folder = temporaryFolder(t)
  const file = path.join(folder, name)
  fs.writeFileSync(file, bytes)
  fs.writeFileSync(path.join(folder, 'neighbour'), 'not shared')
  return { folder, file, ...await startCli(t, file) }
}

test('one file is at its name and at /, and nothing else is there', async (t) => {
  const bytes = randomBytes(3 * MIB)
  const { file, port, output, get } = await shareFile(t, 'a film.mp4', bytes)
  assert.equal(output.stdout, `Sharing ${file}\nhttp://127.0.0.1:${port}/a%20film.mp4\n`)
  for (const url of ['/', '/a%20film.mp4', '/?x=1', '/a%20film.mp4?download']) {
    const { status, headers, bytes: body } = await get(url)
    assert.equal(status, 200, url)
    assert.ok(body.equals(bytes), url)
    assert.equal(headers['content-length'], String(bytes.length))
    assert.equal(headers['content-type'], 'video/mp4')
    assert.equal(headers['content-disposition'], 'inline; filename="a film.mp4"; filename*=UTF-8\'\'a%20film.mp4')
    assert.equal(headers['accept-ranges'], 'bytes')
  }
  for (const url of ['/neighbour', '/../neighbour', '/a%20film.mp4/', '/a%20film.mp4/x', '/a', '/x/', '/a%20film.mp4/..']) {
    const { status, headers } = await get(url)
    assert.ok([403, 404].includes(status), `${url}: ${status}`)
    assert.equal(headers['content-disposition'], undefined)
  }
})

test('ranges, conditions and HEAD of one file are answered, and a download is resumed', async (t) => {
  const bytes = randomBytes(MIB)
  const { get } = await shareFile(t, 'file.bin', bytes)
  const { headers: { etag, 'last-modified': date } } = await get('/file.bin', { method: 'HEAD' })
  for (const [range, start, end] of [['bytes=0-0', 0, 1], ['bytes=1000-', 1000], ['bytes=-7', MIB - 7], ['bytes=5-9', 5, 10]]) {
    const { status, headers, bytes: part } = await get('/file.bin', { range, 'if-range': date })
    assert.equal(status, 206)
    assert.ok(part.equals(bytes.subarray(start, end)), range)
    assert.equal(headers['content-range'], `bytes ${start}-${(end ?? MIB) - 1}/${MIB}`)
  }
  assert.equal((await get('/', { range: 'bytes=0-1', 'if-range': '"another"' })).status, 200)
  const refused = await get('/', { range: `bytes=${MIB}-` })
  assert.deepEqual([refused.status, refused.headers['content-range']], [416, `bytes */${MIB}`])
  assert.equal((await get('/', { 'if-none-match': etag })).status, 304)
  const several = await get('/', { range: 'bytes=0-1,1000-1001' })
  assert.match(several.headers['content-type'], /^multipart\/byteranges/)
})

test('the name that a client is told is one, whatever is in it', async (t) => {
  const names = {
    '日本.txt': ['\u65e5\u672c.txt', '%E6%97%A5%E6%9C%AC.txt'],
    'a"b\\c.txt': ['a_b_c.txt', 'a%22b_c.txt'],
    'new\nline; x=y.txt': ['new_line; x=y.txt', 'new_line%3B%20x%3Dy.txt'],
    '100%\'(*).txt': ['100%\'(*).txt', '100%25%27%28%2A%29.txt']
  }
  for (const [name, [plain, encoded]] of Object.entries(names)) {
    const { urls, get } = await shareFile(t, name, name)
    const { text, headers } = await get(new URL(urls[0]).pathname)
    assert.equal(text, name)
    const disposition = Buffer.from(headers['content-disposition'], 'latin1').toString()
    assert.equal(disposition, `inline; filename="${plain}"; filename*=UTF-8''${encoded}`)
  }
})

test('a file that is replaced is served anew, and one that has gone is not found', async (t) => {
  const { file, get } = await shareFile(t, 'file', 'first')
  assert.equal((await get('/')).text, 'first')
  fs.writeFileSync(`${file}.new`, 'the second')
  fs.renameSync(`${file}.new`, file)
  assert.equal((await get('/')).text, 'the second')
  fs.rmSync(file)
  const gone = await get('/')
  assert.deepEqual([gone.status, gone.headers['content-disposition']], [404, undefined])
})

test('a hidden file, or a link, that was named is shared', async (t) => {
  const folder = temporaryFolder(t)
  fs.writeFileSync(path.join(folder, '.profile'), 'mine')
  fs.symlinkSync('.profile', path.join(folder, 'link'))
  for (const name of ['.profile', 'link']) {
    const { get } = await startCli(t, path.join(folder, name))
    assert.equal((await get(`/${name}`)).text, 'mine')
  }
})
