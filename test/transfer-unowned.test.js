'use strict'

// Files as a server has them that runs as www-data: it neither owns them nor may write them, and cachestat(2), which
// says what is in memory, answers EPERM. `npm run test:unprivileged` runs the suite as such a user.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const { once } = require('node:events')
const { stats, transferFile } = require('sendfile-native')
const { connection, digest, isNative, test } = require('./helpers')

const FILE = process.execPath
const { size, uid } = fs.statSync(FILE)

/** Why the file is not as it has to be; '' when it is. */
function unfit () {
  if (process.geteuid() === 0) return 'root may do everything: npm run test:unprivileged'
  if (process.geteuid() === uid) return `this user owns ${FILE}`
  try {
    fs.accessSync(FILE, fs.constants.W_OK)
    return `this user may write ${FILE}`
  } catch {
    return ''
  }
}

/** A test of that file. Natively not a byte of it is copied. */
function unownedTest (name, run) {
  test(name, async (t) => {
    if (unfit()) return t.skip(unfit())
    const before = stats().bytes
    const { sha256, length } = await digest(fs.createReadStream(FILE))
    const { arrived, sent } = await run(t)
    assert.deepEqual(arrived, { sha256, length })
    const { bytesSent, zeroCopy, reason, changed } = sent
    const expected = isNative ? { zeroCopy: true, reason: null } : { zeroCopy: false, reason: 'disabled' }
    assert.deepEqual({ bytesSent, zeroCopy, reason, changed }, { bytesSent: size, ...expected, changed: false })
    if (!isNative) return
    const { bytes } = stats()
    assert.equal(bytes.copied, before.copied)
    assert.ok(bytes.sendfile - before.sendfile > size * 0.99, 'by sendfile(2)')
  })
}

unownedTest('a big file that is somebody else\'s goes to a socket without copying', async (t) => {
  const { here, there } = await connection(t)
  const [sent, arrived] = await Promise.all([transferFile(here, FILE), digest(there)])
  return { sent, arrived }
})

unownedTest('a big file that is somebody else\'s goes to a response without copying', async (t) => {
  let call
  const server = http.createServer((request, response) => { call = transferFile(response, FILE) })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const [response] = await once(http.get({ port: server.address().port, host: '127.0.0.1', agent: false }), 'response')
  assert.equal(response.headers['content-length'], String(size))
  const arrived = await digest(response)
  return { sent: await call, arrived }
})
