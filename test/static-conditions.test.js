'use strict'

// Conditional requests: RFC 9110, section 13.

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('./helpers')
const { answersIn, ask, exchange } = require('./helpers/http')
const { MODIFIED, assertFile, assertPassed, folderOf, serveFolder, serveOne } = require('./helpers/static')

const SAME = MODIFIED.toUTCString()
const BEFORE = new Date(MODIFIED.getTime() - 5000).toUTCString()
const AFTER = new Date(MODIFIED.getTime() + 5000).toUTCString()

/** What stands for the tag of the file, in its own weak form and in the strong one that it is not. */
const WEAK = '<weak>'
const STRONG = '<strong>'

const CASES = [
  // If-None-Match compares weakly
  [304, [`If-None-Match: ${WEAK}`]],
  [304, [`If-None-Match: ${STRONG}`]],
  [304, ['If-None-Match: *']],
  [304, [`If-None-Match: "a", ${WEAK}, "b"`]],
  [304, [`If-None-Match: "a",${WEAK}`]],
  [304, [`If-None-Match: ,, "with,comma" ,\t${WEAK}`]],
  [304, ['If-None-Match: "a"', `If-None-Match: ${WEAK}`]],
  [200, ['If-None-Match: "other"']],
  [200, ['If-None-Match: W/"other"']],
  [200, ['If-None-Match: ']],
  [200, ['If-None-Match: garbage']],
  [200, ['If-None-Match: "*"']],
  // If-Modified-Since
  [304, [`If-Modified-Since: ${SAME}`]],
  [304, [`If-Modified-Since: ${AFTER}`]],
  [200, [`If-Modified-Since: ${BEFORE}`]],
  [200, ['If-Modified-Since: yesterday']],
  [200, ['If-Modified-Since: ']],
  // and only without If-None-Match
  [200, ['If-None-Match: "other"', `If-Modified-Since: ${SAME}`]],
  [304, [`If-None-Match: ${WEAK}`, `If-Modified-Since: ${BEFORE}`]],
  // If-Match
  [200, ['If-Match: *']],
  [412, ['If-Match: "other"']],
  [412, ['If-Match: "other", W/"another"']],
  // If-Unmodified-Since
  [200, [`If-Unmodified-Since: ${SAME}`]],
  [200, [`If-Unmodified-Since: ${AFTER}`]],
  [412, [`If-Unmodified-Since: ${BEFORE}`]],
  [200, ['If-Unmodified-Since: yesterday']],
  // and only without If-Match
  [200, ['If-Match: *', `If-Unmodified-Since: ${BEFORE}`]],
  [412, ['If-Match: "other"', `If-Unmodified-Since: ${AFTER}`]],
  // in order
  [412, ['If-Match: "other"', `If-None-Match: ${WEAK}`]],
  [304, ['If-Match: *', `If-None-Match: ${WEAK}`]],
  [304, [`If-Unmodified-Since: ${SAME}`, `If-None-Match: ${WEAK}`]],
  [412, [`If-Unmodified-Since: ${BEFORE}`, `If-None-Match: ${WEAK}`]],
  [304, [`If-None-Match: ${WEAK}`, 'Range: bytes=0-1']],
  [304, [`If-None-Match: ${WEAK}`, 'Range: bytes=900-']],
  [412, ['If-Match: "other"', 'Range: bytes=900-']]
]

for (const method of ['GET', 'HEAD']) {
  test(`the conditions of ${method}, by themselves and together`, async (t) => {
    const site = await serveFolder(t, { 'a.txt': 'alpha' })
    const { etag } = (await site.get('/a.txt')).headers
    for (const [status, conditions] of CASES) {
      const headers = conditions.map((field) => field.replace(WEAK, etag).replace(STRONG, etag.replace('W/', '')))
      const answer = await site.get('/a.txt', { method, headers })
      assert.equal(answer.status, status, headers.join(' | '))
      if (status === 200 && method === 'GET') assertFile(answer, 'alpha')
      if (status === 304) assert.equal(answer.body.length, 0)
    }
  })
}

test('If-Match compares strongly: a weak tag does not say that the bytes are the same', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const { etag } = (await site.get('/a.txt')).headers
  for (const tag of [etag, etag.replace('W/', '')]) {
    assert.equal((await site.get('/a.txt', { headers: [`If-Match: ${tag}`] })).status, 412, tag)
  }
  const strong = await serveFolder(t, site.folder, { setHeaders: (res) => res.setHeader('ETag', '"s"') })
  assert.equal((await strong.get('/a.txt', { headers: ['If-Match: W/"s"'] })).status, 412)
  assert.equal((await strong.get('/a.txt', { headers: ['If-Match: "s"'] })).status, 200)
})

test('a comma in a tag separates nothing', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, { setHeaders: (res) => res.setHeader('ETag', '"a,b"') })
  for (const [status, field] of [
    [200, 'If-Match: "a,b"'], [200, 'If-Match: "x", "a,b"'], [412, 'If-Match: "a", "b"'],
    [304, 'If-None-Match: "a,b"'], [304, 'If-None-Match: W/"a,b"'], [200, 'If-None-Match: "a", "b"'], [200, 'If-None-Match: "a'],
    [200, 'If-None-Match: a,b']
  ]) assert.equal((await site.get('/a.txt', { headers: [field] })).status, status, field)
})

test('a 304 says how long the file may be kept, and nothing of a body', async (t) => {
  const options = { maxAge: '1h', setHeaders: (res) => { res.setHeader('Content-Language', 'en'); res.setHeader('Expires', SAME) } }
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, options)
  const whole = (await site.get('/a.txt')).headers
  const { status, headers } = await site.get('/a.txt', { headers: [`If-None-Match: ${whole.etag}`] })
  assert.equal(status, 304)
  for (const name of ['etag', 'cache-control', 'expires']) assert.equal(headers[name], whole[name], name)
  for (const name of ['content-length', 'content-type', 'content-range', 'content-encoding', 'transfer-encoding', 'content-language']) {
    assert.equal(headers[name], undefined, name)
  }
})

test('a connection goes on after 304 and 412', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const requests = ['If-None-Match: *', 'If-Match: "no"', 'If-None-Match: *'].map((field) => {
    return ask('/a.txt', { last: false, headers: [field] })
  })
  const answers = answersIn(await exchange(t, site.port, ...requests, ask('/a.txt')))
  assert.deepEqual(answers.map(({ status }) => status), [304, 412, 304, 200])
  assertFile(answers[3], 'alpha')
})

test('412 goes to next(err) whatever fallthrough says, and serveFile rejects with it', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  for (const fallthrough of [true, false]) {
    const site = await serveFolder(t, folder, { fallthrough })
    assertPassed(await site.get('/a.txt', { headers: ['If-Match: "other"'] }), 412)
    assert.equal(site.passed[0][0].status, 412)
  }
  const one = await serveOne(t, path.join(folder, 'a.txt'), { setHeaders: () => {} })
  await one.get('/', { headers: ['If-Match: "other"'] })
  const [{ err, headersSent }] = one.rejected
  const { status, statusCode } = err
  assert.deepEqual({ status, statusCode, headersSent }, { status: 412, statusCode: 412, headersSent: false })
})

test('what is not there is not found, whatever the conditions', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  for (const field of ['If-Match: *', 'If-None-Match: *', `If-Modified-Since: ${SAME}`, `If-Unmodified-Since: ${BEFORE}`]) {
    assertPassed(await site.get('/missing', { headers: [field] }))
  }
})

test('conditions are only for what would be a success', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, {}, { before: (req, res) => { res.statusCode = 404 } })
  assertFile(await site.get('/a.txt', { headers: ['If-None-Match: *'] }), 'alpha', { status: 404 })
  assertFile(await site.get('/a.txt', { headers: [`If-Modified-Since: ${AFTER}`] }), 'alpha', { status: 404 })
})

test('without a tag or a time nothing matches them', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, { etag: false, lastModified: false })
  for (const field of ['If-None-Match: "a"', `If-Modified-Since: ${AFTER}`]) {
    assertFile(await site.get('/a.txt', { headers: [field] }), 'alpha')
  }
  assert.equal((await site.get('/a.txt', { headers: ['If-Match: "a"'] })).status, 412)
})

test('If-Unmodified-Since is ignored where there is no time of modification', async (t) => {
  const site = await serveFolder(t, { 'a.txt': 'alpha' }, { lastModified: false })
  for (const date of [BEFORE, AFTER]) {
    assertFile(await site.get('/a.txt', { headers: [`If-Unmodified-Since: ${date}`] }), 'alpha')
  }
})

test('a date is read in each of the three forms, as of Greenwich', async (t) => {
  const zone = process.env.TZ
  t.after(() => { if (zone === undefined) delete process.env.TZ; else process.env.TZ = zone })
  process.env.TZ = 'America/New_York'
  assert.notEqual(new Date(0).getHours(), 0)
  const site = await serveFolder(t, { 'a.txt': 'alpha' })
  const two = (number) => String(number).padStart(2, ' ')
  for (const [seconds, status] of [[-1, 200], [0, 304], [1, 304]]) {
    const date = new Date(MODIFIED.getTime() + seconds * 1000)
    const [, month, time] = /^\w+, \d\d (\w+) \d{4} (.*) GMT$/.exec(date.toUTCString())
    for (const text of [
      date.toUTCString(),
      `Sunday, 02-${month}-20 ${time} GMT`,
      `Sun ${month} ${two(date.getUTCDate())} ${time} 2020`
    ]) {
      assert.equal((await site.get('/a.txt', { headers: [`If-Modified-Since: ${text}`] })).status, status, text)
    }
  }
})
