'use strict'

// The listing of a folder as the answer to a request: made while it is sent, as fast as the client takes it.

const { isWanted, onEnd } = require('./connection-end')
const { described, entriesOf } = require('./entries')
const { HEADERS, pageEnd, pageHead, pageRow } = require('./listing-page')

/**
 * @param {Folder} folder
 * @param {{ title: string, parts: string[] }} heading as of pageHead
 * @returns {Promise<{ bytesSent: number }>} rejects, with the response untouched, when the folder cannot be read
 */
async function sendListing (req, res, folder, { title, parts }) {
  const listed = req.method === 'HEAD' ? null : await entriesOf(folder, { isWanted: () => isWanted(req, res) })
  res.writeHead(200, HEADERS)
  if (listed === null) {
    res.end()
    return { bytesSent: 0 }
  }
  const page = new PageWriter(req, res)
  await page.write(pageHead(title, parts))
  for await (const entries of described(folder, listed.entries)) {
    if (!isWanted(req, res)) break
    await page.write(entries.map(pageRow).join(''))
  }
  page.end(pageEnd(listed.entries.length, listed.isWhole))
  return { bytesSent: page.bytesSent }
}

class PageWriter {
  constructor (req, res) {
    this.req = req
    this.res = res
    this.bytesSent = 0
  }

  /** Waits until the client takes more, or has gone. */
  async write (text) {
    const { req, res } = this
    if (!isWanted(req, res)) return
    this.bytesSent += Buffer.byteLength(text)
    if (res.write(text)) return
    await new Promise((resolve) => {
      const drained = () => {
        takeBack()
        resolve()
      }
      const takeBack = onEnd(req, res, () => {
        res.off('drain', drained)
        resolve()
      })
      res.once('drain', drained)
    })
  }

  /** What a client that has gone did not get is not ended: it would be told as sent. */
  end (text) {
    if (!isWanted(this.req, this.res)) return
    this.bytesSent += Buffer.byteLength(text)
    this.res.end(text)
  }
}

module.exports = { sendListing }
