'use strict'

// Range requests: RFC 9110, section 14.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { stats } = require('sendfile-native')
const { MIB, isNative, test } = require('./helpers')
const { answersIn, ask, assertBytes, exchange, watchCopies } = require('./helpers/http')
const { MODIFIED, assertFile, assertPassed, folderOf, serveFolder, serveOne } = require('./helpers/static')

const SIZE = 1000
const BYTES = Buffer.from(Array.from({ length: SIZE }, (_, i) => (i * 7 + (i >> 8)) & 255))

/** A site of one such file, `/file.bin`: `range(text, ...fields)` asks it for ranges. */
async function rangeSite (t, options, bytes = BYTES) {
  const site = await serveFolder(t, { 'file.bin': bytes }, options)
  const range = (text, ...fields) => site.get('/file.bin', { headers: [`Range: ${text}`, ...fields] })
  return { ...site, range }
}

/** The parts of a multipart/byteranges body, to the letter: `[{ type, start, end, size, bytes }]`. */
function partsOf ({ status, headers, body }) {
  assert.equal(status, 206)
  assert.equal(headers['content-range'], undefined)
  assert.equal(headers['content-length'], String(body.length))
  const [, quoted, plain] = /^multipart\/byteranges; ?boundary=(?:"([^"\r\n]+)"|([\w'()+,./:=?-]+))$/.exec(headers['content-type']) ??
    assert.fail(headers['content-type'])
  const boundary = quoted ?? plain
  assert.ok(boundary.length <= 70)
  const delimiter = `--${boundary}`
  let at = body.toString('latin1', 0, 2) === '\r\n' ? 2 : 0
  const expect = (text) => {
    assert.equal(body.toString('latin1', at, at + text.length), text)
    at += text.length
  }
  const parts = []
  for (;;) {
    expect(delimiter)
    if (body.toString('latin1', at, at + 2) === '--') break
    expect('\r\n')
    const end = body.indexOf('\r\n\r\n', at)
    assert.notEqual(end, -1, 'a part has a head')
    const fields = Object.fromEntries(body.toString('latin1', at, end).split('\r\n').map((field) => {
      const [, name, value] = /^([\w-]+): (.*)$/.exec(field)
      return [name.toLowerCase(), value]
    }))
    const [, start, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(fields['content-range']).map(Number)
    at = end + 4
    const bytes = body.subarray(at, at + last - start + 1)
    at += bytes.length
    parts.push({ type: fields['content-type'], start, end: last, size, bytes })
    expect('\r\n')
  }
  expect('--')
  assert.ok(['', '\r\n'].includes(body.toString('latin1', at)), 'nothing follows the last delimiter')
  return parts
}

/** Which ranges an answer says that it has. */
function rangesIn (answer) {
  const single = /^bytes (\d+)-(\d+)\//.exec(answer.headers['content-range'] ?? '')
  if (single) return [[Number(single[1]), Number(single[2])]]
  return partsOf(answer).map(({ start, end }) => [start, end])
}

/** That an answer is just these ranges of the file: one, or several in parts. */
function assertRanges (answer, ranges, bytes = BYTES) {
  if (ranges.length === 1) {
    const [[start, end]] = ranges
    const { status, headers, body } = answer
    assert.equal(status, 206)
    assert.equal(headers['content-range'], `bytes ${start}-${end}/${bytes.length}`)
    assert.equal(headers['content-length'], String(end - start + 1))
    assert.equal(headers['content-type'], 'application/octet-stream')
    return assertBytes(body, bytes.subarray(start, end + 1))
  }
  const parts = partsOf(answer)
  assert.deepEqual(parts.map(({ start, end }) => [start, end]), ranges)
  for (const { type, start, end, size, bytes: part } of parts) {
    assert.deepEqual({ type, size }, { type: 'application/octet-stream', size: bytes.length })
    assertBytes(part, bytes.subarray(start, end + 1))
  }
}

function assertWhole (answer, bytes = BYTES) {
  assert.equal(answer.headers['content-range'], undefined)
  assert.equal(answer.headers['content-type'], 'application/octet-stream')
  assertFile(answer, bytes)
}

function assertUnsatisfiable (answer, size = SIZE) {
  assertPassed(answer, 416)
  assert.equal(answer.headers['content-range'], `bytes */${size}`)
}

const SATISFIABLE = [
  ['bytes=0-0', [[0, 0]]],
  ['bytes=0-499', [[0, 499]]],
  ['bytes=500-999', [[500, 999]]],
  ['bytes=500-', [[500, 999]]],
  ['bytes=999-', [[999, 999]]],
  ['bytes=0-', [[0, 999]]],
  ['bytes=0-999', [[0, 999]]],
  ['bytes=0-1000', [[0, 999]]],
  ['bytes=990-99999999999999999999999', [[990, 999]]],
  ['bytes=-1', [[999, 999]]],
  ['bytes=-1000', [[0, 999]]],
  ['bytes=-1001', [[0, 999]]],
  ['bytes=-99999999999999999999999', [[0, 999]]],
  ['bytes=007-0010', [[7, 10]]],
  ['bytes= 1-2', [[1, 2]]],
  ['bytes=1-2 ', [[1, 2]]],
  ['bytes=1-2,', [[1, 2]]],
  ['bytes=,1-2', [[1, 2]]],
  ['bytes=, ,\t1-2 , ,', [[1, 2]]],
  // several
  ['bytes=0-1,4-5', [[0, 1], [4, 5]]],
  ['bytes=0-1, 4-5 ,\t-1', [[0, 1], [4, 5], [999, 999]]],
  ['bytes=4-5,0-1', [[4, 5], [0, 1]]],
  ['bytes=-1,0-0', [[999, 999], [0, 0]]],
  // those that cannot be satisfied are left out
  ['bytes=0-1,1000-', [[0, 1]]],
  ['bytes=5000-6000,0-1,-0,4-5', [[0, 1], [4, 5]]],
  // those that overlap or touch are one
  ['bytes=0-5,3-9', [[0, 9]]],
  ['bytes=3-9,0-5', [[0, 9]]],
  ['bytes=0-4,5-9', [[0, 9]]],
  ['bytes=0-9,2-3', [[0, 9]]],
  ['bytes=2-3,2-3', [[2, 3]]],
  ['bytes=0-,-1', [[0, 999]]]
]

for (const [text, ranges] of SATISFIABLE) {
  test(`${JSON.stringify(text)} of ${SIZE} bytes are ${ranges.map((range) => range.join('-')).join(', ')}`, async (t) => {
    const { range } = await rangeSite(t)
    const answer = await range(text)
    assertRanges(answer, ranges)
    for (const name of ['etag', 'last-modified', 'cache-control', 'accept-ranges']) assert.ok(answer.headers[name], name)
  })
}

test('ranges of which none can be satisfied are 416, with the length that there is', async (t) => {
  const { range } = await rangeSite(t)
  for (const text of ['1000-', '1000-1000', '5000-6000', '99999999999999999999-', '-0', '1000-,2000-', '-0,-00']) {
    assertUnsatisfiable(await range(`bytes=${text}`))
  }
})

test('a header that is no list of byte ranges is as if it were not there', async (t) => {
  const { range } = await rangeSite(t)
  for (const text of [
    'items=0-2', 'bytes', 'bytes=', 'bytes=,', 'bytes=a-b', 'bytes=1', 'bytes=-', 'bytes=--1', 'bytes=1-2-3', 'bytes=1 -2',
    'bytes=0x1-0x5', 'bytes=1e1-', 'bytes=0.5-2', 'bytes=+1-2', 'bytes=1-+2', 'bytes=1-2;3-4', 'bytes=0-1,x', 'bytes=x,0-1',
    'bytes:0-1', '0-1', 'bytes=\u0661-\u0662', 'bytes=*', 'bytes 0-1/1000', 'bytes=0-1 2-3', 'octets=0-1'
  ]) {
    const answer = await range(text)
    assert.equal(answer.status, 200, text)
    assertWhole(answer)
  }
})

test('a list that turns out to be none at its end takes no longer than another', async (t) => {
  const { range } = await rangeSite(t)
  const began = performance.now()
  for (const blanks of [', '.repeat(40), ',\t '.repeat(1000), ' '.repeat(12_000), `1-2${' '.repeat(12_000)}`]) {
    assertFile(await range(`bytes=${blanks}x`), BYTES)
  }
  assert.ok(performance.now() - began < 5_000)
})

test('a range that ends before it begins is refused or ignored, never sent', async (t) => {
  const { range } = await rangeSite(t)
  for (const text of ['bytes=5-2', 'bytes=999-0', 'bytes=2000-1000', 'bytes=5-2,9-8']) {
    const answer = await range(text)
    if (answer.status === 416) assertUnsatisfiable(answer)
    else assertWhole(answer)
  }
})

test('of an empty file there is no range', async (t) => {
  const { range } = await rangeSite(t, {}, Buffer.alloc(0))
  for (const text of ['0-0', '0-', '5-9', '-0', '0-0,1-1']) assertUnsatisfiable(await range(`bytes=${text}`), 0)
  const suffix = await range('bytes=-5') // can be satisfied, but no Content-Range says so
  if (suffix.status === 416) assertUnsatisfiable(suffix, 0)
  else assertFile(suffix, '')
})

test('of a file of one byte there is one', async (t) => {
  const bytes = Buffer.from('x')
  const { range } = await rangeSite(t, {}, bytes)
  for (const text of ['0-0', '0-', '-1', '-7', '0-7', '0-0,-1']) assertRanges(await range(`bytes=${text}`), [[0, 0]], bytes)
  assertUnsatisfiable(await range('bytes=1-'), 1)
})

test('HEAD has no ranges', async (t) => {
  const { get } = await rangeSite(t)
  for (const text of ['bytes=0-1', 'bytes=5000-', 'bytes=0-1,4-5']) {
    const { status, headers } = await get('/file.bin', { method: 'HEAD', headers: [`Range: ${text}`] })
    assert.deepEqual({ status, length: headers['content-length'], range: headers['content-range'] },
      { status: 200, length: String(SIZE), range: undefined })
  }
})

test('acceptRanges: false: ranges are ignored', async (t) => {
  const { range } = await rangeSite(t, { acceptRanges: false })
  for (const text of ['bytes=0-1', 'bytes=5000-', 'bytes=0-1,4-5']) assertWhole(await range(text))
})

test('a status other than 200 that the caller set stays, and the file is whole', async (t) => {
  const site = await serveFolder(t, { 'file.bin': BYTES }, {}, { before: (req, res) => { res.statusCode = 404 } })
  for (const text of ['bytes=0-1', 'bytes=5000-']) {
    assertFile(await site.get('/file.bin', { headers: [`Range: ${text}`] }), BYTES, { status: 404 })
  }
})

test('416 goes to next(err) whatever fallthrough says, with Content-Range among its headers', async (t) => {
  for (const fallthrough of [true, false]) {
    const { range, passed } = await rangeSite(t, { fallthrough })
    assertUnsatisfiable(await range('bytes=1000-'))
    const [[err]] = passed
    assert.deepEqual({ status: err.status, statusCode: err.statusCode, headers: { ...err.headers } },
      { status: 416, statusCode: 416, headers: { 'Content-Range': 'bytes */1000' } })
  }
})

test('serveFile rejects with 416 while the response is untouched', async (t) => {
  const site = await serveOne(t, path.join(folderOf(t, { 'file.bin': BYTES }), 'file.bin'))
  await site.get('/', { headers: ['Range: bytes=1000-'] })
  const [{ err, headersSent, fields }] = site.rejected
  assert.deepEqual({ status: err.status, headersSent }, { status: 416, headersSent: false })
  assert.deepEqual(fields, [])
})

test('a connection goes on after ranges, one or several, and after 416', async (t) => {
  const { port } = await rangeSite(t)
  const texts = ['bytes=0-1', 'bytes=0-1,4-5', 'bytes=5000-', 'bytes=-3']
  const requests = texts.map((text) => ask('/file.bin', { last: false, headers: [`Range: ${text}`] }))
  const answers = answersIn(await exchange(t, port, ...requests, ask('/file.bin')))
  assert.deepEqual(answers.map(({ status }) => status), [206, 206, 416, 206, 200])
  assertRanges(answers[1], [[0, 1], [4, 5]])
  assertRanges(answers[3], [[997, 999]])
  assertWhole(answers[4])
})

const SAME = MODIFIED.toUTCString()

test('If-Range: only a strong tag, the same, or the very date makes a part of what was asked for before', async (t) => {
  const strong = await rangeSite(t, { setHeaders: (res) => res.setHeader('ETag', '"strong"') })
  const weak = await rangeSite(t)
  const { etag } = (await weak.get('/file.bin')).headers
  for (const [site, validator, isPart] of [
    [strong, '"strong"', true],
    [strong, 'W/"strong"', false],
    [strong, '"other"', false],
    [strong, '"other", "strong"', false],
    [strong, 'x"strong"', false],
    [strong, '*', false],
    [strong, 'strong', false],
    [weak, etag, false], // says that what they mean is the same, not that the bytes are
    [weak, etag.replace('W/', ''), false],
    [weak, SAME, true],
    [weak, new Date(MODIFIED.getTime() - 1000).toUTCString(), false],
    [weak, new Date(MODIFIED.getTime() + 1000).toUTCString(), false], // what was changed to another date, be it older
    [weak, 'tomorrow', false]
  ]) {
    const answer = await site.range('bytes=0-1', `If-Range: ${validator}`)
    assert.equal(answer.status, isPart ? 206 : 200, validator)
    if (isPart) assertRanges(answer, [[0, 1]])
    else assertWhole(answer)
    const several = await site.range('bytes=0-1,4-5', `If-Range: ${validator}`)
    assert.equal(several.status, isPart ? 206 : 200, validator)
    const beyond = await site.range('bytes=1000-', `If-Range: ${validator}`)
    assert.equal(beyond.status, isPart ? 416 : 200, validator)
  }
  assertWhole(await strong.get('/file.bin', { headers: ['If-Range: "strong"'] }))
})

test('If-Range with a tag or a date of which the response has none is not fulfilled', async (t) => {
  const { range } = await rangeSite(t, { etag: false, lastModified: false })
  for (const validator of ['"a"', SAME, 'undefined', 'NaN']) assertWhole(await range('bytes=0-1', `If-Range: ${validator}`))
})

test('many ranges cost no more than the file: coalesced, ignored or refused', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 13 + (i >> 7)) & 255))
  const { range } = await rangeSite(t, {}, bytes)
  const many = (count, each) => Array.from({ length: count }, (_, i) => each(i)).join()
  for (const [name, text] of Object.entries({
    'a thousand times all': many(1000, () => '0-'),
    'a thousand suffixes': many(1000, (i) => `-${100_000 - i}`),
    'a thousand that overlap': many(1000, (i) => `${i * 10}-${i * 10 + 50_000}`),
    'a thousand bytes apart': many(1000, (i) => `${i * 100}-${i * 100}`),
    'a thousand bytes apart, backwards': many(1000, (i) => `${99_999 - i * 100}-${99_999 - i * 100}`),
    'a thousand that touch': many(1000, (i) => `${i * 100}-${i * 100 + 99}`),
    'a thousand beyond, and one': `${many(1000, (i) => `${200_000 + i}-`)},0-0`
  })) {
    const answer = await range(`bytes=${text}`)
    assert.ok([200, 206, 416].includes(answer.status), `${name}: ${answer.status}`)
    assert.ok(answer.body.length <= 2 * bytes.length, `${name}: ${answer.body.length} bytes`)
    if (answer.status === 200) assertWhole(answer, bytes)
    if (answer.status !== 206) continue
    assertRanges(answer, rangesIn(answer), bytes)
  }
  assertRanges(await range(`bytes=${many(3, (i) => `${i * 10}-${i * 10}`)}`), [[0, 0], [10, 10], [20, 20]], bytes)
})

test('random lists of ranges: what is sent is what was asked for, each byte once', async (t) => {
  let seed = 1
  const random = (below) => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  const { range } = await rangeSite(t)
  let several = 0
  for (let round = 0; round < 300; round++) {
    const asked = new Set()
    const specs = Array.from({ length: 1 + random(6) }, () => {
      const kind = random(8)
      const start = random(1100)
      const end = start + random(kind === 0 ? 1000 : 30)
      const text = kind === 1 ? `-${start}` : kind === 2 ? `${start}-` : `${start}-${end}`
      const from = kind === 1 ? Math.max(0, SIZE - start) : start
      const to = kind === 0 || kind > 2 ? Math.min(end, SIZE - 1) : SIZE - 1
      for (let i = from; i <= to; i++) asked.add(i)
      return text
    })
    const text = `bytes=${specs.join()}`
    const answer = await range(text)
    if (asked.size === 0) {
      assertUnsatisfiable(answer)
      continue
    }
    if (answer.status === 200) { // too many, or too much of an overlap
      assertWhole(answer)
      continue
    }
    const ranges = rangesIn(answer)
    if (ranges.length > 1) several++
    assertRanges(answer, ranges, BYTES)
    const got = ranges.flatMap(([start, end]) => Array.from({ length: end - start + 1 }, (_, i) => start + i))
    assert.equal(new Set(got).size, got.length, `${text}: no byte twice`)
    assert.deepEqual(got.sort((a, b) => a - b), [...asked].sort((a, b) => a - b), text)
  }
  assert.ok(several > 50, 'parts were looked at')
})

test('the delimiter of the parts is in none of them, and is another each time', async (t) => {
  const { get } = await rangeSite(t)
  const boundaries = new Set()
  for (let i = 0; i < 5; i++) {
    const { headers } = await get('/file.bin', { headers: ['Range: bytes=0-1,4-5'] })
    boundaries.add(/boundary="?([^"]+)/.exec(headers['content-type'])[1])
  }
  assert.equal(boundaries.size, 5)
})

test('parts have the type that was set', async (t) => {
  const { range } = await rangeSite(t, { setHeaders: (res) => res.setHeader('Content-Type', 'text/x-own; charset=utf-8') })
  const parts = partsOf(await range('bytes=0-1,4-5'))
  assert.deepEqual(parts.map(({ type }) => type), Array(2).fill('text/x-own; charset=utf-8'))
})

test('parts of a large file: one gather list, and no byte of it in JavaScript', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 6 * MIB }, (_, i) => (i * 31 >> 5) & 255))
  const { range } = await rangeSite(t, {}, bytes)
  const assertNothingCopied = watchCopies()
  const { transfers } = stats()
  const ranges = [[0, 2 * MIB], [3 * MIB, 5 * MIB], [6 * MIB - 1, 6 * MIB - 1]]
  assertRanges(await range(`bytes=0-${2 * MIB},${3 * MIB}-${5 * MIB},-1`), ranges, bytes)
  assertNothingCopied()
  if (isNative) assert.equal(stats().transfers.total - transfers.total, 1)
})

test('a range of a large file, and one beyond 4 GiB', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 3 * MIB }, (_, i) => (i * 31 >> 5) & 255))
  const { range, get, folder } = await rangeSite(t, {}, bytes)
  assertRanges(await range(`bytes=${MIB}-${2 * MIB + 7}`), [[MIB, 2 * MIB + 7]], bytes)
  const file = path.join(folder, 'sparse.bin')
  const fd = fs.openSync(file, 'w')
  fs.writeSync(fd, 'marker', 5_000_000_000)
  fs.closeSync(fd)
  const { status, headers, body } = await get('/sparse.bin', { headers: ['Range: bytes=4999999998-5000000009'] })
  assert.deepEqual({ status, range: headers['content-range'], body: String(body) },
    { status: 206, range: 'bytes 4999999998-5000000005/5000000006', body: '\0\0marker' })
  const two = 'bytes=4294967295-4294967296,5000000000-5000000002'
  const parts = partsOf(await get('/sparse.bin', { headers: [`Range: ${two}`] }))
  assert.deepEqual(parts.map(({ start, end, bytes }) => [start, end, String(bytes)]),
    [[4294967295, 4294967296, '\0\0'], [5000000000, 5000000002, 'mar']])
})
