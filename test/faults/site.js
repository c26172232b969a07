'use strict'

// A server with its files and its other connections: some of them flow while something is struck, and two have stood
// still in the middle of their file since before, and go on only in the end.

const http = require('node:http')
const { receive, request, requestStream } = require('./client')
const { Host } = require('./host')
const { textOf } = require('./judge')

/** Requests of everybody else. */
const OTHERS = [['transfer', 'large'], ['static', 'middle'], ['stream', 'large'], ['raw', 'small']]
const STALLED = [['transfer', 'huge'], ['static', 'huge']]

class Site {
  /** @param {object} [how] as of Host.start */
  static async start (files, how) {
    const site = new Site()
    site.files = files
    site.host = await Host.start({ root: files.root, ...how })
    site.stalled = []
    /** What is open once all has been warmed up. */
    site.before = null
    return site
  }

  /** One request, as its client saw it and as the program was told. */
  async ask (way, name, options = {}) {
    const { files, host } = this
    const id = host.nextId()
    const expected = files.bytes.get(name)
    const asking = { raw: receive, http2: requestStream }[way] ?? request
    const seen = await asking(host, { way, name, id, expected, ...options })
    // Nothing was ever asked of a server that did not accept the connection.
    if (seen.kind === 'early' && seen.length === 0 && options.mayBeTurnedAway) {
      const turnedAway = new Promise((resolve) => setTimeout(resolve, 300, { turnedAway: true }))
      return { way, seen, told: await Promise.race([host.next(id), turnedAway]) }
    }
    return { way, seen, told: await host.next(id) }
  }

  /** All that the others ask for, at once. */
  askOthers () {
    return Promise.all(OTHERS.map(([way, size]) => this.ask(way, `other-${size}.bin`)))
  }

  /** Everything has been sent once: threads and what they wait with are there. Then two connections stand still. */
  async warm () {
    for (let round = 0; round < 2; round++) await this.askOthers()
    for (const [way, size] of STALLED) {
      let answer
      const resume = await new Promise((resolve, reject) => {
        answer = this.ask(way, `other-${size}.bin`, { stalled: resolve })
        answer.then(({ seen, told }) => reject(new Error(`not even begun: ${textOf(seen, told)}`)))
      })
      this.stalled.push({ answer, resume })
    }
    // Its client has the head before the reactor has the rest.
    do this.before = await this.host.condition()
    while (this.before.active < STALLED.length)
  }

  /** The two go on: how they ended. */
  async resume () {
    const { stalled } = this
    this.stalled = []
    for (const { resume } of stalled) resume()
    return Promise.all(stalled.map(({ answer }) => answer))
  }

  /** A connection that is used again, unless it has ended. */
  static connection () {
    return new http.Agent({ keepAlive: true, maxSockets: 1 })
  }

  stop () {
    this.host.stop()
  }
}

module.exports = { Site }
