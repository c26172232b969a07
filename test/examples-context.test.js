'use strict'

// AsyncLocalStorage in an Express server under load, run with `--require sendfile-native/register`.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { temporaryFolder, test, until } = require('./helpers')
const { assertNativeBytes, startExample } = require('./helpers/example')
const { readAll } = require('./helpers/http')

const CONNECTIONS = 40
const REQUESTS = 1000 // of each

const options = { timeout: 180_000 }

test('in Express, handlers and listeners of finish and close run in the context of their request under load', options, async (t) => {
  const folder = temporaryFolder(t)
  const sizes = { small: 3000, medium: 70_000 }
  for (const [name, size] of Object.entries(sizes)) fs.writeFileSync(path.join(folder, name), crypto.randomBytes(size))
  const { port, held, end } = await startExample(t, 'test/fixtures/express-context.js', folder)
  const names = ['files/small', 'small', 'medium', 'files/small', 'small']
  let expected = 0

  /** One connection, which asks again and again. */
  const client = (number) => new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let left = 0
    let count = 0
    const ask = () => {
      if (count === REQUESTS) {
        socket.end()
        return resolve()
      }
      const name = names[(number + count) % names.length]
      socket.write(`GET /${name}?id=${number}-${count++} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      expected += sizes[path.basename(name)]
      left = -1
    }
    let head = ''
    socket.on('data', (chunk) => {
      let length = chunk.length
      if (left === -1) {
        head += chunk.toString('latin1')
        const at = head.indexOf('\r\n\r\n')
        if (at === -1) return
        const [, promised] = /content-length: (\d+)/i.exec(head) ?? []
        if (!head.startsWith('HTTP/1.1 200 ') || promised === undefined) return reject(new Error(head.slice(0, at)))
        left = Number(promised)
        length = head.length - at - 4
        head = ''
      }
      left -= length
      if (left === 0) ask()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${count} requests, ${left} bytes of the last left`)))
    ask()
  })
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => client(i)))
  let told
  await until(async () => {
    const socket = net.connect(port, '127.0.0.1').end('GET /told HTTP/1.0\r\n\r\n')
    told = JSON.parse((await readAll(socket)).toString().split('\r\n\r\n')[1])
    return told.close >= CONNECTIONS * REQUESTS
  })
  const all = CONNECTIONS * REQUESTS
  const { handler, finish, close, sent, wrong } = told
  assert.equal(wrong, 0)
  assert.deepEqual({ handler, finish, close, sent }, { handler: all, finish: all, close: all, sent: all * 2 / 5 })
  await until(() => held().length === 0)
  assertNativeBytes(await end(), expected)
})
