'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { finished, pipeline } = require('node:stream')
const { createReadStream } = require('sendfile-native')
const { MIB, connection, temporaryFile, test } = require('./helpers')

test('a pipeline whose source is destroyed before its end fails, also when all of it was handed over', async (t) => {
  // One region, and more than a connection takes.
  const { path } = temporaryFile(t, 4 * MIB)
  const { here, there } = await connection(t, { path: `${path}.socket` })
  const source = createReadStream(path)
  const failed = new Promise((resolve) => pipeline(source, here, resolve))
  const alsoFailed = new Promise((resolve) => finished(source, resolve))
  await once(there, 'readable')
  source.destroy()
  assert.equal((await failed)?.code, 'ERR_STREAM_PREMATURE_CLOSE')
  assert.equal((await alsoFailed)?.code, 'ERR_STREAM_PREMATURE_CLOSE')
  assert.equal(here.destroyed, true)
})

test('and one whose source has ended does not', async (t) => {
  const { path, bytes } = temporaryFile(t, 4 * MIB)
  const { here, there } = await connection(t)
  const source = createReadStream(path)
  const ended = new Promise((resolve) => pipeline(source, here, resolve))
  const chunks = []
  for await (const chunk of there) chunks.push(chunk)
  assert.equal(await ended, undefined)
  assert.ok(Buffer.concat(chunks).equals(bytes))
})
