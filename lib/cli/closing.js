'use strict'

// The first signal has the server take no more connections, and waits for the answers under way; the next ends them.

const SIGNALS = ['SIGINT', 'SIGTERM']

class Closing {
  /**
   * @param {Set<Exchange>} exchanges under way
   * @param {(message: string) => void} tell
   */
  constructor (exchanges, tell) {
    this.exchanges = exchanges
    this.tell = tell
    this.isClosing = false
    this.server = null
    this.onSignal = () => this.signalled()
  }

  /** @param {http.Server} server listening */
  listenFor (server) {
    this.server = server
    for (const signal of SIGNALS) process.on(signal, this.onSignal)
    server.once('close', () => { for (const signal of SIGNALS) process.off(signal, this.onSignal) })
  }

  signalled () {
    const { exchanges, server } = this
    if (this.isClosing) return server.closeAllConnections()
    this.isClosing = true
    server.close()
    this.closeUnused()
    if (exchanges.size > 0) this.tell(`Waiting for ${exchanges.size} under way: the same again ends that.`)
  }

  /** Called when one of the exchanges is behind. */
  exchangeEnded () {
    if (this.isClosing) this.closeUnused()
  }

  closeUnused () {
    // Connections that a browser opened in advance are not idle for http, and would be waited for.
    if (this.exchanges.size === 0) this.server.closeAllConnections()
    else this.server.closeIdleConnections()
  }
}

module.exports = { Closing }
