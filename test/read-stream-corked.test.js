'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const { createReadStream } = require('sendfile-native')
const { temporaryFile, test, turns } = require('./helpers')

test('the end of a chunked response that is corked comes behind its file', async (t) => {
  const { path } = temporaryFile(t, 'towns')
  const server = http.createServer(async (req, res) => {
    res.write('xyz ')
    res.cork()
    createReadStream(null, { fd: fs.openSync(path), start: 0, highWaterMark: 1 }).pipe(res)
    await turns(2)
    res.uncork()
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of client) text += chunk
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  assert.equal(body.replace(/[0-9a-f]+\r\n|\r\n/g, (match) => /^0/.test(match) ? '.' : ''), 'xyz towns.')
})
