'use strict'

// What is shared, served until a signal, and what the terminal shows of it.

const http = require('node:http')
const { urlsOf } = require('./addresses')
const { Closing } = require('./closing')
const { Exchange } = require('./exchange')
const { isLoopback, isOwnHost } = require('./host-check')
const { listen } = require('./listen')
const { printable, printableTarget } = require('./printable')
const { Progress } = require('./progress')

/**
 * @param {FileShare | FolderShare} share
 * @param {{ host: string, port: number | undefined }} where
 */
async function serve (share, { host, port }) {
  const exchanges = new Set()
  const progress = share.kind === 'file' && isCapable(process.stderr) ? new Progress(process.stderr) : null
  const print = (log, text) => {
    if (progress) progress.printAbove(() => log(text))
    else log(text)
  }
  const closing = new Closing(exchanges, (text) => print(console.error, text))
  const server = http.createServer(async (req, res) => {
    const exchange = new Exchange(req, res)
    exchanges.add(exchange)
    progress?.add(exchange)
    if (closing.isClosing) res.setHeader('Connection', 'close')
    const line = await exchange.run(share, refusalOf(req, host))
    exchanges.delete(exchange)
    progress?.remove(exchange)
    print(console.log, line)
    closing.exchangeEnded()
  })
  // Each request that waits its turn listens for the end of its connection.
  server.on('connection', (socket) => socket.setMaxListeners(0))
  await listen(server, { host, port })
  server.on('error', (err) => print(console.error, `sendfile-native: ${err.message}`))
  closing.listenFor(server)
  process.on('exit', () => progress?.erase())

  const bound = server.address()
  const urls = urlsOf(host, bound).map((url) => `${url}${share.url}`)
  console.log([`Sharing ${printable(share.path)}`, ...urls].join('\n'))
  if (!isLoopback(bound.address)) console.error(`Whoever can reach this machine can read the ${share.kind}.`)
}

/** Why a request may not be answered, or null. */
function refusalOf ({ headers, socket }, host) {
  if (!isLoopback(socket.localAddress ?? '') || isOwnHost(headers.host, host)) return null
  return `refused: Host is ${printableTarget(headers.host)}`
}

/** Whether it is a terminal with a cursor to move. */
function isCapable (stream) {
  return stream.isTTY === true && process.env.TERM !== 'dumb'
}

module.exports = { serve }
