'use strict'

// server.close() while a file is being sent: since Node 19 it destroys the connections of responses that have ended,
// whether what they sent has left or not. A file that is under way is no such response.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { transferFile } = require('sendfile-native')
const { MIB, temporaryFile, test } = require('./helpers')
const { answersIn, ask, assertBytes, assertNative, connect, readAll, serve } = require('./helpers/http')

/** More than the buffers of a connection take. */
const BIG = 24 * MIB

for (const framing of ['Content-Length', 'Transfer-Encoding']) {
  test(`server.close() lets a file finish that is under way (${framing})`, async (t) => {
    const file = temporaryFile(t, BIG)
    const { server, port, calls } = await serve(t, (req, res) => {
      if (framing === 'Transfer-Encoding') res.setHeader(framing, 'chunked')
      return transferFile(res, file.path)
    })
    const client = connect(t, port)
    client.write(ask())
    await once(client, 'readable')
    const closed = new Promise((resolve) => server.close(resolve))
    const [{ headers, body }] = answersIn(await readAll(client))
    assert.ok(framing.toLowerCase() in headers)
    assertBytes(body, file.bytes)
    assertNative(await calls[0])
    await closed
  })
}
