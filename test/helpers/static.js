'use strict'

// Folders of files and servers of them, for the tests of serveFile and serveStatic.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { serveFile, serveStatic } = require('sendfile-native/static')
const { temporaryFolder } = require('.')
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

/** Answers as a framework does when nobody else can, and tells what it was called with. */
function answerRest (res, err) {
  res.statusCode = err ? err.status ?? 500 : 404
  for (const [name, value] of Object.entries(err?.headers ?? {})) res.setHeader(name, value)
  res.setHeader('X-Answered-By', err ? 'error' : 'next')
  res.end(err ? `${err.name}: ${err.message}` : 'nobody served this')
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

module.exports = { MODIFIED, answerRest, assertFile, assertPassed, folderOf, serveFolder, serveOne, write }
