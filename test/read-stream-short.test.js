'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const { pipeline } = require('node:stream')
const { createReadStream } = require('sendfile-native')
const { MIB, isNative, temporaryFile, test } = require('./helpers')

const skip = !isNative && 'fs leaves it open'

test('a response whose length writeHead() promised ends its connection when its file is shorter', { skip }, async (t) => {
  const { path } = temporaryFile(t, 'short')
  const server = http.createServer((req, res) => {
    res.writeHead(200, { 'Content-Length': 1000 })
    createReadStream(path).pipe(res)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  // The next response would be taken for the rest of the first one.
  client.write('GET /1 HTTP/1.1\r\nHost: here\r\n\r\nGET /2 HTTP/1.1\r\nHost: here\r\n\r\n')
  let text = ''
  for await (const chunk of client) text += chunk
  assert.match(text, /\r\n\r\nshort$/)
  assert.equal(text.split('HTTP/1.1').length, 2)
})

test('and keeps it when it has what was promised', async (t) => {
  const { path } = temporaryFile(t, 'as long as that')
  const server = http.createServer((req, res) => {
    res.writeHead(200, { 'Content-Length': 15 })
    createReadStream(path).pipe(res)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  client.write('GET /1 HTTP/1.1\r\nHost: here\r\n\r\nGET /2 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of client) text += chunk
  assert.equal(text.split('as long as that').length, 3)
})

test('whatever the engine has sent by the time that the response is ended', async (t) => {
  const { path, bytes } = temporaryFile(t, 3 * MIB)
  const server = http.createServer((req, res) => {
    res.writeHead(200, { 'Content-Length': bytes.length })
    createReadStream(path).pipe(res)
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  t.after(() => client.destroy())
  // Each waits for those before it, and is given to the engine and ended in one turn.
  const count = 600
  client.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n'.repeat(count))
  let received = 0
  for await (const chunk of client) {
    received += chunk.length
    if (received > count * bytes.length) break
  }
  assert.ok(received > count * bytes.length, `ends after ${Math.floor(received / bytes.length)} responses`)
})

for (const [framing, fields] of [['in chunks', {}], ['of known length', { 'Content-Length': 5000 }]]) {
  test(`a file that became shorter before its response's turn, ${framing}: that has not finished`, { skip }, async (t) => {
    const { path } = temporaryFile(t, 5000)
    let first
    const events = []
    const server = http.createServer((req, res) => {
      if (req.url === '/1') {
        first = res
        return
      }
      res.writeHead(200, fields)
      for (const name of ['finish', 'close']) res.on(name, () => events.push(name))
      const stream = createReadStream(path)
      pipeline(stream, res, (err) => events.push(err?.code))
      // All of it is queued behind the first response.
      stream.on('close', () => {
        fs.truncateSync(path, 10)
        first.end('first')
      })
    })
    t.after(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const client = net.connect(server.address().port, '127.0.0.1')
    client.on('error', () => {}) // 'close' follows
    client.write('GET /1 HTTP/1.1\r\nHost: here\r\n\r\nGET /2 HTTP/1.1\r\nHost: here\r\n\r\n')
    client.resume()
    await once(client, 'close')
    assert.deepEqual(events.sort(), ['ERR_STREAM_PREMATURE_CLOSE', 'close'])
  })
}
