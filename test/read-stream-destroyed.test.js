'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { finished, pipeline } = require('node:stream')
const { createReadStream } = require('sendfile-native')
const { MIB, connection, temporaryFile, test, turns } = require('./helpers')

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

test('nor does one wait whose response is destroyed behind others, when its source has read all', async (t) => {
  const { path } = temporaryFile(t, 65_537)
  let first
  const server = http.createServer((req, res) => {
    if (req.url === '/first') {
      first = res
      return
    }
    const source = createReadStream(path)
    pipeline(source, res, (err) => server.emit('failed', err))
    res.destroy()
    source.once('ready', async () => {
      await turns(5) // it reads ahead
      first.end()
    })
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  client.on('error', () => {})
  t.after(() => client.destroy())
  client.write('GET /first HTTP/1.1\r\nHost: here\r\n\r\nGET /second HTTP/1.1\r\nHost: here\r\n\r\n')
  const [err] = await once(server, 'failed')
  assert.equal(err.code, 'ERR_STREAM_PREMATURE_CLOSE')
})
