'use strict'

// Files, folders and links that change while they are asked for. `npm run test:races -- --minutes N` takes its time.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { constants: { errno } } = require('node:os')
const path = require('node:path')
const { isNative, sha256, temporaryFolder, test, turns } = require('./helpers')
const { prepare, races, run } = require('./helpers/races')
const { OPENAT2, assertFile, folderOf, serveFolder, startSite, write } = require('./helpers/static')

/** So many requests of each race, and more until both were seen: the name meant what is inside, and what is not. */
const REQUESTS = 1500

/** So often, at least, the names change hands meanwhile: on a busy machine the thread that does it may begin late. */
const SWAPS = 100

const WAYS = {
  'as the package does it here': (t, root) => serveFolder(t, root),
  ...(isNative && {
    'where openat2 is unknown': (t, root) => startSite(t, root, {}, { refuse: [[OPENAT2, errno.ENOSYS]] })
  })
}

for (const [way, start] of Object.entries(WAYS)) {
  for (const [name, race] of Object.entries(races)) {
    test(`${name}, exchanged all the time: nothing outside is sent, ${way}`, async (t) => {
      const { root, pair } = prepare(temporaryFolder(t), race)
      const { port } = await start(t, root)
      let seen = {}
      for (let rounds = 0; rounds < 20 && Object.keys(seen).length < 2; rounds++) {
        const isOver = (requests, swaps) => requests >= REQUESTS && swaps >= SWAPS
        const { escapes, statuses } = await run({ port, pair, target: race.target }, isOver)
        assert.equal(escapes, 0)
        seen = { ...seen, ...statuses }
      }
      for (const status of Object.keys(seen)) assert.ok(['200', '404'].includes(status), `answered with ${JSON.stringify(seen)}`)
      assert.ok(seen[200] > 0, 'the file was found')
    })
  }
}

test('a root that is another folder from one moment to the next: what is asked for afterwards comes from the new one', async (t) => {
  const folder = temporaryFolder(t)
  const current = path.join(folder, 'current')
  let deployed = 0
  const deploy = (version) => {
    write(folder, { [`release-${version}`]: { 'version.txt': String(version), [`only-${version}.txt`]: String(version) } })
    fs.symlinkSync(`release-${version}`, `${current}.new`)
    fs.renameSync(`${current}.new`, current)
    deployed = version
  }
  deploy(1)
  const site = await serveFolder(t, current)
  let over = false
  let underLoad = 0
  const load = Array.from({ length: 4 }, async () => {
    while (!over) {
      const atLeast = deployed
      const { status, body } = await site.get('/version.txt')
      assert.equal(status, 200)
      assert.ok(Number(body) >= atLeast && Number(body) <= deployed, `${body} after ${atLeast} was deployed`)
      underLoad++
    }
  })
  for (let version = 2; version <= 150; version++) {
    deploy(version)
    assertFile(await site.get('/version.txt'), String(version))
    assertFile(await site.get(`/only-${version}.txt`), String(version))
    assert.equal((await site.get(`/only-${version - 1}.txt`)).status, 404)
    // Not the last ones: whoever asked before the link changed may still be on the way to a file there.
    if (version > 20) fs.rmSync(path.join(folder, `release-${version - 20}`), { recursive: true })
  }
  over = true
  await Promise.all(load)
  assert.ok(underLoad > 100, `${underLoad} requests meanwhile`)
})

test('a root that is renamed away and replaced by another of its name is that other one', async (t) => {
  const folder = folderOf(t, { site: { 'a.txt': 'first' }, next: { 'a.txt': 'second' } })
  const site = await serveFolder(t, path.join(folder, 'site'))
  for (let i = 0; i < 50; i++) {
    assertFile(await site.get('/a.txt'), i % 2 ? 'second' : 'first')
    fs.renameSync(path.join(folder, 'site'), path.join(folder, 'old'))
    fs.renameSync(path.join(folder, 'next'), path.join(folder, 'site'))
    fs.renameSync(path.join(folder, 'old'), path.join(folder, 'next'))
  }
})

test('a link above the root that changes changes the root', async (t) => {
  const folder = folderOf(t, { one: { site: { 'a.txt': 'one' } }, two: { site: { 'a.txt': 'two' } }, way: { link: 'one' } })
  const site = await serveFolder(t, path.join(folder, 'way', 'site'))
  for (const name of ['one', 'two', 'one', 'two']) {
    fs.symlinkSync(name, path.join(folder, 'way.new'))
    fs.renameSync(path.join(folder, 'way.new'), path.join(folder, 'way'))
    assertFile(await site.get('/a.txt'), name)
  }
})

test('a file that is replaced all the time: what is described is what is sent', async (t) => {
  const folder = folderOf(t, {})
  const file = path.join(folder, 'a.bin')
  // By its length, which letter a file is made of.
  const made = new Map()
  const replace = (i) => {
    const bytes = Buffer.alloc([100, 5000, 70_000, 300_000][i % 4] + i, 97 + i % 26)
    made.set(bytes.length, sha256(bytes))
    fs.writeFileSync(`${file}.new`, bytes)
    fs.utimesSync(`${file}.new`, 1e9 + i, 1e9 + i)
    fs.renameSync(`${file}.new`, file)
  }
  replace(0)
  const site = await serveFolder(t, folder)
  const tags = new Map()
  let over = false
  const clients = Array.from({ length: 4 }, async (_, client) => {
    let answers = 0
    for (; !over; answers++) {
      const method = client === 3 ? 'HEAD' : 'GET'
      const { status, headers, body } = await site.get('/a.bin', { method })
      assert.equal(status, 200)
      const length = Number(headers['content-length'])
      assert.ok(made.has(length))
      if (method === 'GET') assert.equal(sha256(body), made.get(length))
      const described = `${headers.etag} ${headers['last-modified']}`
      assert.equal(tags.get(length) ?? described, described, 'a length has one tag and one time')
      tags.set(length, described)
    }
    return answers
  })
  for (let i = 1; i < 400; i++) {
    replace(i)
    await turns(2)
  }
  over = true
  const answers = await Promise.all(clients)
  assert.ok(Math.min(...answers) > 10)
  assert.equal(new Set(tags.values()).size, tags.size)
})
