'use strict'

// Whatever is asked for, nothing outside the root is sent. Every case runs where the kernel keeps names below the root
// (openat2(2)), where it refuses to be asked, and with the kill switch.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { constants: { errno } } = require('node:os')
const path = require('node:path')
const { isNative, root: packageRoot, temporaryFolder, test } = require('./helpers')
const { HOST, connect } = require('./helpers/http')
const { OPENAT2, assertFile, folderOf, serveFolder, serveOne, startSite, write } = require('./helpers/static')

const MARKER = 'THIS-IS-OUTSIDE-OF-THE-ROOT'
const SECRET = 'secret.txt'

/** What there is around a root, `site`, and what leads out of it. */
function surroundings (t) {
  const folder = temporaryFolder(t)
  const outside = path.join(folder, SECRET)
  write(folder, {
    [SECRET]: MARKER,
    'site-private': { [SECRET]: MARKER }, // begins as the root does
    'index.html': MARKER,
    site: {
      'a.txt': 'alpha',
      'index.html': 'index',
      sub: { 'b.txt': 'beta', deep: { 'c.txt': 'gamma' } },
      'link-in': { link: 'sub/b.txt' },
      'folder-in': { link: 'sub' },
      'up-and-in': { link: 'sub/../a.txt' },
      'link-out': { link: `../${SECRET}` },
      'folder-out': { link: '..' },
      'private-out': { link: '../site-private' },
      'absolute-out': { link: outside },
      'absolute-folder-out': { link: folder },
      'through-out': { link: 'link-out' },
      'far-out': { link: '../../../../../../../../../../../../etc/passwd' },
      'root-folder': { link: '/' },
      'out-and-in': { link: '../site/a.txt' },
      'magic-root': { link: '/proc/self/root' },
      'magic-folder': { link: '/proc/self/cwd' },
      loop: { link: 'loop' },
      'loop-a': { link: 'loop-b' },
      'loop-b': { link: 'loop-a' },
      dangling: { link: 'nowhere' }
    }
  })
  const fd = fs.openSync(outside)
  t.after(() => fs.closeSync(fd))
  fs.symlinkSync(`/proc/${process.pid}/fd/${fd}`, path.join(folder, 'site', 'magic-file'))
  return { folder, outside, site: path.join(folder, 'site') }
}

/** Request targets, as bytes of the request line: several hundred. */
function corpus ({ folder, outside, site }) {
  const ups = [
    '..', '%2e%2e', '%2E.', '.%2e', '%252e%252e', '%25%32%65%25%32%65', '%c0%ae%c0%ae', '%e0%80%ae%e0%80%ae', '%f0%80%80%ae%f0%80%80%ae',
    '%uff0e%uff0e', '\uff0e\uff0e', '%ef%bc%8e%ef%bc%8e', '..;', '..;x=y', '...', '....', '..%00', '..%20', '..%0a', '..%0d%0a', '.%00.', '%00..',
    '.\u0000.', '\u002e\u002e', '..%c0%80', '..#', '..?', '.%09.', '..\t'
  ]
  const slashes = ['/', '%2f', '%2F', '\\', '%5c', '%5C', '%252f', '%255c', '%c0%af', '%c1%9c', '%e0%80%af', '//', '/./', '\\/', '%2f/', '/%5c', '%ef%bc%8f']
  const targets = new Set()
  for (const up of ups) {
    for (const slash of slashes) {
      targets.add(`/${up}${slash}${SECRET}`)
      targets.add(`/sub${slash}${up}${slash}${up}${slash}${SECRET}`)
    }
    for (const depth of [1, 2, 3, 8, 40]) {
      targets.add(`/${`${up}/`.repeat(depth)}${SECRET}`)
      targets.add(`/${`${up}/`.repeat(depth)}etc/passwd`)
      targets.add(`/sub/deep/${`${up}%2f`.repeat(depth)}${SECRET}`)
    }
    for (const name of ['site-private', 'folder-out', 'sub/deep']) targets.add(`/${name}/${up}/${SECRET}`)
    targets.add(`/${up}`)
    targets.add(`/${up}/`)
  }
  for (const link of [
    'link-out', 'absolute-out', 'through-out', 'magic-file', 'far-out', 'folder-out', `folder-out/${SECRET}`, 'folder-out/',
    `folder-out/site/../${SECRET}`, `private-out/${SECRET}`, `absolute-folder-out/${SECRET}`, 'absolute-folder-out/', 'root-folder/etc/passwd',
    `root-folder${outside}`, `magic-root${outside}`, 'magic-root/etc/passwd', 'magic-folder/package.json', `sub/../folder-out/${SECRET}`,
    `folder-in/../folder-out/${SECRET}`, `folder-in/../../${SECRET}`, 'loop', 'loop/', 'loop-a', 'dangling', 'dangling/'
  ]) {
    for (const form of [link, encodeURI(link), link.replaceAll('/', '%2f'), `.//${link}`, `${link}%00`, `${link}?x`, `${link}/.`, `${link}/..`]) {
      targets.add(`/${form}`)
    }
  }
  for (const absolute of [outside, folder, path.join(site, 'a.txt'), '/etc/passwd', '/proc/self/environ', '/proc/self/root/etc/passwd', '/dev/null']) {
    for (const form of [
      absolute, `/${absolute}`, `//${absolute}`, encodeURIComponent(absolute), `/${encodeURIComponent(absolute)}`, `/.${absolute}`, `/%00${absolute}`,
      `http://${HOST}${absolute}`, `http://${HOST}/..${absolute}`, `http://x@y${absolute}`, `file://${absolute}`, `file:${absolute}`, `/file:${absolute}`,
      `*${absolute}`, `/C:${absolute}`, `/\\\\?\\${absolute}`, absolute.slice(1)
    ]) targets.add(form)
  }
  for (const odd of [
    '/a.txt', '/sub/b.txt', '*', '/', '//', '///', '/.', '/./', '/%', '/%%', '/%2', '/%g0', '/%zz', '/%u0041', '/%ff', '/%c3%28', '/%ed%a0%80', '/%00', '/a.txt%00',
    '/a.txt%00.html', '/a.txt%0a', '/a.txt%20', '/a.txt.', '/a.txt/', '/a.txt/.', '/a.txt//', '/a.txt;', '/a.txt;/x', '/%61.txt%3f', '/A.TXT',
    '/\u00ff\u00fe', '/?', '/#', '/?%00', '/&', '/$(id)', '/`id`', '/|id', '/%0d%0aX-Injected:%20yes', '/sub%0d%0a', '/~', '/~root', '/con', '/nul',
    `/${'a'.repeat(255)}`, `/${'a'.repeat(256)}`, `/${'a/'.repeat(2100)}`, `/${'../'.repeat(2000)}etc/passwd`, `/${'%2e%2e%2f'.repeat(800)}etc/passwd`,
    `/${'./'.repeat(2100)}a.txt`, `/${'%00'.repeat(500)}`, `/${'%'.repeat(5000)}`, `/${'/'.repeat(5000)}`, `/${'a'.repeat(14_000)}`,
    'http://', 'http://[', 'http://[::1', '//[', '//', '//a', '//a:99999999/', `//${HOST}/..`, '/:80', '?', '#', 'a.txt', 'sub/b.txt', '../', '..',
    ' /', '/ ', '/a b', '\t/', '/\u0001', '/\u007f', 'javascript:alert(1)', 'data:,x', '/constructor', '/__proto__', '/toString', '/hasOwnProperty'
  ]) targets.add(odd)
  return [...targets]
}

/** Everything that comes for one request, head and all. */
function answerTo (t, port, target, method = 'GET') {
  const socket = connect(t, port)
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write(Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 'latin1'))
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(chunks))))
}

/** What a site may answer with. */
const PUBLIC = new Set(['alpha', 'index', 'beta', 'gamma'])

async function answersTo (t, port, targets) {
  const answers = new Map()
  const waiting = [...targets]
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let target; (target = waiting.pop()) !== undefined;) {
      const bytes = await answerTo(t, port, target)
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(bytes.toString('latin1', 0, 20))?.[1] ?? 0)
      answers.set(target, { status, bytes, body: bytes.toString('latin1', bytes.indexOf('\r\n\r\n') + 4) })
    }
  }))
  return answers
}

function assertContained (answers) {
  for (const [target, { status, bytes, body }] of answers) {
    const shown = JSON.stringify(target.slice(0, 200))
    for (const leak of [MARKER, 'root:x:', 'PATH=', '"sendfile-native"']) assert.ok(!bytes.includes(leak), `${shown} has ${leak}`)
    assert.ok(![0, 500].includes(status), `${shown} is answered with ${status}: ${body.slice(0, 200)}`)
    if (status === 200 || status === 206) assert.ok(PUBLIC.has(body), `${shown} is answered with ${body.slice(0, 200)}`)
    if (status === 301) assert.match(bytes.toString('latin1'), /\r\nLocation: (\/(?![/\\])|http:\/\/|file:\/\/)[^\r\n]*\/([?#][^\r\n]*)?\r\n/, shown)
    assert.doesNotMatch(bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n')), /^X-Injected/m, shown)
  }
}

const VARIANTS = {
  'by default': {},
  'with every convenience': { dotfiles: 'allow', extensions: ['txt'], precompressed: true, index: ['index.html', SECRET] },
  'without fallthrough, redirects and index': { fallthrough: false, redirect: false, index: false },
  'without symbolic links': { symlinks: false }
}

/** How names are kept below the root: `{ port }` of a site. */
const WAYS = {
  'as the package does it here': (t, site, options) => serveFolder(t, site, options),
  ...(isNative && {
    'where openat2 is unknown (ENOSYS)': (t, site, options) => startSite(t, site, options, { refuse: [[OPENAT2, errno.ENOSYS]] }),
    'where openat2 is not permitted (EPERM)': (t, site, options) => startSite(t, site, options, { refuse: [[OPENAT2, errno.EPERM]] })
  })
}

for (const [way, start] of Object.entries(WAYS)) {
  for (const [variant, options] of Object.entries(VARIANTS)) {
    test(`hundreds of targets that try to get out stay inside, ${way}, ${variant}`, async (t) => {
      const around = surroundings(t)
      process.chdir(packageRoot)
      const targets = corpus(around)
      assert.ok(targets.length > 1000, `${targets.length} targets`)
      const server = await start(t, around.site, options)
      const answers = await answersTo(t, server.port, targets)
      assertContained(answers)
      const served = [...answers.values()].filter(({ status }) => status === 200).length
      assert.ok(served >= 2 && served < 200, `${served} were files of the site`)
      assertFile(await server.get('/a.txt'), 'alpha') // it still stands
    })
  }

  test(`what a symbolic link leads to, ${way}`, async (t) => {
    const { site } = surroundings(t)
    const followed = await start(t, site, { fallthrough: false })
    const refused = await start(t, site, { fallthrough: false, symlinks: false })
    for (const [name, contents] of [['link-in', 'beta'], ['folder-in/b.txt', 'beta'], ['up-and-in', 'alpha']]) {
      assertFile(await followed.get(`/${name}`), contents)
      assert.equal((await refused.get(`/${name}`)).status, 404, name)
    }
    for (const name of [
      'link-out', `folder-out/${SECRET}`, 'absolute-out', `absolute-folder-out/${SECRET}`, 'through-out', 'magic-file', 'magic-root/etc/passwd',
      'loop', 'loop-a', 'dangling', 'far-out', `private-out/${SECRET}`
    ]) {
      for (const server of [followed, refused]) assert.equal((await server.get(`/${name}`)).status, 404, name)
    }
    assertFile(await refused.get('/sub/b.txt'), 'beta')
  })

  test(`a symbolic link that leaves the root and comes back is not followed by the kernel, ${way}`, async (t) => {
    const { site } = surroundings(t)
    fs.symlinkSync(path.join(site, 'a.txt'), path.join(site, 'absolute-in'))
    const server = await start(t, site)
    for (const name of ['out-and-in', 'absolute-in']) {
      const answer = await server.get(`/${name}`)
      // Where a path is resolved first and then checked, what counts is where it ends.
      if (isNative && !way.startsWith('where')) assert.equal(answer.status, 404, name)
      else assertFile(answer, 'alpha')
    }
  })

  test(`the root itself may be a symbolic link, and lie below some, ${way}`, async (t) => {
    const { folder } = surroundings(t)
    write(folder, { other: { current: { link: '../site' } }, way: { link: 'other' } })
    for (const options of [{}, { symlinks: false }]) {
      const server = await start(t, path.join(folder, 'way', 'current'), options)
      assertFile(await server.get('/a.txt'), 'alpha')
      assertFile(await server.get('/sub/b.txt'), 'beta')
      assert.equal((await server.get('/link-out')).status, 404)
    }
  })

  test(`statuses and codes are the same, ${way}`, async (t) => {
    const { site } = surroundings(t)
    const server = await start(t, site, { fallthrough: false })
    const statuses = {}
    const expected = {
      '/a.txt': 200, '/': 200, '/sub/b.txt': 200, '/sub/../a.txt': 200, '/sub%2fb.txt': 200,
      '/missing': 404, '/a.txt/': 404, '/a.txt/x': 404, '/sub/': 404, '/sub': 301, '/folder-in': 301, [`/${'n'.repeat(256)}`]: 404,
      '/..': 403, '/../': 403, '/../secret.txt': 403, '/%2e%2e/secret.txt': 403, '/..%2fsecret.txt': 403, '/sub/../../secret.txt': 403,
      '/..%5csecret.txt': 403, '/%252e%252e/secret.txt': 404, '/%2e%2e%2fsite%2fa.txt': 403, '/..%00/': 400,
      '/a.txt%00': 400, '/%': 400, '/%ff': 400, '/%c0%ae%c0%ae/': 400, '/%ed%a0%80': 400, '/folder-out': 404, '/folder-out/': 404
    }
    for (const target of Object.keys(expected)) statuses[target] = (await server.get(target)).status
    assert.deepEqual(statuses, expected)
  })
}

test('serveFile lets no path out of its root', async (t) => {
  const around = surroundings(t)
  for (const symlinks of [true, false]) {
    const site = await serveOne(t, (req) => decodeURIComponent(req.url.slice(1)), { root: around.site, symlinks })
    const names = [
      SECRET, `../${SECRET}`, `sub/../../${SECRET}`, around.outside, `/${around.outside}`, '/etc/passwd', 'link-out', `folder-out/${SECRET}`,
      'absolute-out', 'magic-file', `magic-root${around.outside}`, '%2e%2e/secret.txt', `..\\${SECRET}`, `sub\0/../../${SECRET}`, '..', '.', ''
    ]
    for (const name of names) {
      const { status, body } = await site.get(`/${encodeURIComponent(name)}`)
      assert.ok(!body.includes(MARKER) && !body.includes('root:x:'), name)
      assert.notEqual(status, 200, name)
    }
    assertFile(await site.get('/a.txt'), 'alpha')
  }
})

test('a file that was moved out of the root, or whose folder was, is not served under its old name', async (t) => {
  const { folder, site } = surroundings(t)
  const server = await serveFolder(t, site)
  assertFile(await server.get('/sub/b.txt'), 'beta')
  fs.renameSync(path.join(site, 'sub'), path.join(folder, 'moved'))
  assert.equal((await server.get('/sub/b.txt')).status, 404)
  fs.symlinkSync('../moved', path.join(site, 'sub'))
  assert.equal((await server.get('/sub/b.txt')).status, 404)
  fs.rmSync(path.join(site, 'sub'))
  fs.renameSync(path.join(folder, 'moved'), path.join(site, 'sub'))
  assertFile(await server.get('/sub/b.txt'), 'beta')
})

test('a folder whose name the root begins with is another', async (t) => {
  const folder = folderOf(t, { site: { 'a.txt': 'alpha', out: { link: '../site-private/secret.txt' } }, 'site-private': { [SECRET]: MARKER } })
  for (const root of [path.join(folder, 'site'), `${path.join(folder, 'site')}/`, `${folder}/./site//`]) {
    const server = await serveFolder(t, root)
    for (const target of [`/../site-private/${SECRET}`, '/out', `-private/${SECRET}`, `/%2e%2e/site-private/${SECRET}`]) {
      assert.ok(!(await answerTo(t, server.port, target)).includes(MARKER), target)
    }
    assertFile(await server.get('/a.txt'), 'alpha')
  }
})

test('the whole file system may be the root', async (t) => {
  const folder = folderOf(t, { 'a.txt': 'alpha' })
  const server = await serveFolder(t, '/')
  assertFile(await server.get(`${folder}/a.txt`), 'alpha')
  assert.equal((await server.get(`/..${folder}/missing`)).status, 404)
})
