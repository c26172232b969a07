'use strict'

// Folders of files and servers of them, for the tests of serveFile and serveStatic.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { temporaryFolder } = require('.')
const { answerRest } = require('./answer-rest')
const { startFixture } = require('./fixture')
const { get, serve } = require('./http')

/** When the files of the tests were changed: long ago, so that nothing depends on the second in which a test runs. */
const MODIFIED = new Date('2020-02-02T02:02:02.345Z')

/** Writes files, by name: a string or Buffer is a file, an object a folder, `{ link: target }` a symbolic link. */
function write (folder, files) {
  for (const [name, contents] of Object.entries(files)) {
    const file = path.join(folder, name)
    if (typeof contents === 'string' || Buffer.isBuffer(contents)) {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, contents)
      fs.utimesSync(file, MODIFIED, MODIFIED)
    } else if (typeof contents.link === 'string') {
      fs.symlinkSync(contents.link, file)
    } else {
      fs.mkdirSync(file, { recursive: true })
      write(file, contents)
    }
  }
}

/** A folder of these files that goes with the test. */
function folderOf (t, files) {
  const folder = temporaryFolder(t)
  write(folder, files)
  return folder
}

function withGet (t, served, more) {
  return { ...served, ...more, get: (target, options) => get(t, served.port, target, options) }
}

/**
 * A server of a folder, or of these files: `get(target, options)` asks it, `passed` has what came to `next`.
 * @param {string | object} root a folder, or files as `write` takes them
 * @param {object} [how] `before(req, res)`, called first; `handle`, who is given what nobody served; the rest is for
 *   http.createServer
 */
async function serveFolder (t, root, options, { before, ...how } = {}) {
  const folder = typeof root === 'string' ? root : folderOf(t, root)
  const handler = serveStatic(folder, options)
  const passed = []
  const served = await serve(t, (req, res) => {
    before?.(req, res)
    handler(req, res, (...args) => {
      passed.push(args)
      answerRest(res, args[0])
    })
  }, how)
  return withGet(t, served, { folder, passed })
}

/**
 * A server that answers everything with serveFile: `calls` has the promises.
 * @param {string | ((req: object) => string)} file
 */
async function serveOne (t, file, options, { before, ...how } = {}) {
  const rejected = []
  const served = await serve(t, (req, res) => {
    before?.(req, res)
    const call = serveFile(req, res, typeof file === 'function' ? file(req) : file, options)
    call.catch((err) => {
      rejected.push({ err, headersSent: res.headersSent, fields: res.getHeaderNames() })
      if (!res.headersSent && !res.destroyed) answerRest(res, err)
    })
    return call
  }, how)
  return withGet(t, served, { rejected })
}

/** openat2(2), on every architecture. */
const OPENAT2 = 437

/**
 * serveStatic of a folder in a process of its own, until the test ends: `{ pid, port, get, stats }`.
 * @param {object} [how] `refuse`: see the fixture; `through`: a command that runs it
 */
async function startSite (t, root, options, { refuse, through } = {}) {
  const { pid, next, send } = startFixture(t, 'static-server.js', [JSON.stringify({ root, options, refuse })], through)
  const { port } = await next(({ port }) => port !== undefined)
  let asked = 0
  const stats = async () => {
    const id = ++asked
    send(id)
    return (await next((message) => message.id === id)).stats
  }
  return { pid, port, stats, get: (target, options) => get(t, port, target, options) }
}

/** That an answer is a whole file. */
function assertFile ({ status, headers, body }, bytes, expected = {}) {
  assert.equal(status, expected.status ?? 200)
  assert.equal(headers['content-length'], String(Buffer.byteLength(bytes)))
  assert.equal(body.toString('latin1'), Buffer.from(bytes).toString('latin1'))
}

/** That nobody served it: by `next()` or, with a status, by `next(err)`. */
function assertPassed ({ status, headers }, error) {
  const expected = error === undefined ? { status: 404, by: 'next' } : { status: error, by: 'error' }
  assert.deepEqual({ status, by: headers['x-answered-by'] }, expected)
}

module.exports = {
  MODIFIED,
  OPENAT2,
  answerRest,
  assertFile,
  assertPassed,
  folderOf,
  serveFolder,
  serveOne,
  startSite,
  write
}
