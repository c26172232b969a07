'use strict'

// The cells of the matrix, one after the other, against servers that live through a whole group of them.

const path = require('node:path')
const { cellsOf } = require('./cells')
const { textOf, wrongsOf } = require('./judge')
const { Site } = require('./site')
const { strike } = require('./strace')

const OTHER = 'other-small.bin'
/** What any of its descriptors is opened anew by. */
const DESCRIPTORS = Array.from({ length: 100 }, (_, fd) => `/proc/self/fd/${fd}`)

class Matrix {
  /**
   * @param {object} proof `cases`, `faults`, `bytes`, `found(text)`: what is counted and told
   * @param {object} how `isQuick`, `seed`, `scratch`, a folder
   */
  constructor (files, proof, how) {
    this.files = files
    this.proof = proof
    this.how = how
    /** Outcomes, by group, errno, way and call. */
    this.rows = []
    this.turn = how.seed
  }

  /** @param {object} how `isFirst`: each cell has a server that has not sent before; `user`, as of users.js */
  async run (group, { isFirst = false, user }) {
    const heading = `${group.title ?? group.call} (${group.by})`
    const title = user.uid === undefined ? heading : `${heading}, as ${user.name}`
    const cells = cellsOf(group, this.how.isQuick, this.turn)
    this.turn += cells.length
    const counts = { cells: 0, struck: 0, faults: 0, whole: 0 }
    let site = null
    for (const cell of cells) {
      if (site === null) site = await this.start(group, isFirst, user)
      const { injected, text } = await this.cell(site, group, cell, title)
      counts.cells++
      counts.faults += injected
      counts.struck += injected > 0 ? 1 : 0
      counts.whole += text.startsWith('whole') && injected > 0 ? 1 : 0
      if (isFirst || !site.host.isAlive) {
        await this.end(site, title)
        site = null
      }
    }
    if (site !== null) await this.end(site, title)
    console.log(`${title}: ${counts.cells} cells, ${counts.struck} struck, ${counts.faults} faults, ${counts.whole} whole`)
    if (counts.struck === 0) this.proof.found(`${title}: nothing was struck`)
  }

  async start ({ isLinked }, isFirst, { uid }) {
    const { link, root } = this.files
    const site = await Site.start(this.files, { root: isLinked ? link : root, uid })
    if (!isFirst) await site.warm()
    return site
  }

  async cell (site, group, { errno, when, target }, title) {
    const { proof, files } = this
    const { host } = site
    const name = `${title} ${errno} at ${when}: ${target.way} of ${target.size}`
    const found = (text) => proof.found(`${name}: ${text}`)
    if (target.size === 'cold') files.drop(target.name)
    const rules = [...group.beside ?? [], `${group.call}:error=${errno}:when=${when}`]
    const stop = await strike(host.pid, merged(rules), this.scope(group, host, target))
    const agent = Site.connection()
    const isLimited = ['file', 'name', 'again'].includes(group.by)
    const others = isLimited ? site.askOthers() : Promise.resolve([])
    const { seen, told } = await site.ask(target.way, target.name, { agent })
    const beside = await others
    const injected = await stop(group.call, errno)
    proof.cases++
    proof.faults += injected
    proof.bytes += seen.kind === 'wrong' ? 0 : seen.length

    const { size, counts } = { size: files.bytes.get(target.name).length, counts: countsOf(target.way) }
    const errnos = [errno, ...(group.beside ?? []).map((rule) => /error=(\w+)/.exec(rule)[1])]
    const isSurvived = injected === 0 || group.survived.includes(errno)
    for (const wrong of wrongsOf(seen, told, { errnos, isSurvived, counts, size })) found(wrong)
    for (const other of beside) this.expectWhole(other, found, 'another connection')
    if (target.way !== 'raw' && host.isAlive) {
      const after = await site.ask('transfer', OTHER, { agent })
      this.expectWhole(after, found, 'the next request')
    }
    agent.destroy()
    if (!host.isAlive) found(`the process ended: ${host.death}`)
    for (const text of host.uncaught.splice(0)) found(`uncaught: ${text}`)
    if (site.before !== null) await this.expectSettled(site, found)
    const text = textOf(seen, told)
    this.rows.push({ title, errno, when, way: target.way, size: target.size, text: injected > 0 ? text : 'not reached' })
    return { injected, text }
  }

  /** @returns {object} what strace strikes */
  scope ({ by }, host, { name }) {
    const log = path.join(this.how.scratch, 'strace')
    const file = this.files.path(name)
    switch (by) {
      case 'file': return { log, paths: [file] }
      case 'name': return { log, paths: [file, name] }
      case 'again': return { log, paths: [file, name, ...DESCRIPTORS] }
      case 'folder': return { log, paths: [this.files.link] }
      case 'main': return { log, threads: [host.pid] }
      case 'reactor': return { log, threads: host.threads('sendfile-epoll') }
      default: return { log }
    }
  }

  expectWhole ({ way, seen, told }, found, who) {
    if (seen.kind === 'whole' && told.result) this.proof.bytes += seen.length
    else found(`${who} (${way}) was ${textOf(seen, told)}, ${seen.length} bytes`)
  }

  async expectSettled (site, found) {
    const more = await site.host.settled(site.before)
    if (more === null) return
    found(`left open: ${more.open.join(', ') || 'nothing'}; under way: ${more.active}`)
    site.before = await site.host.condition()
  }

  /** The server has to serve, and whoever stood still has to get the rest. */
  async end (site, title) {
    const found = (text) => this.proof.found(`${title}, in the end: ${text}`)
    if (site.host.isAlive) {
      for (const outcome of await site.resume()) this.expectWhole(outcome, found, 'a connection that had stood still')
      for (const outcome of await site.askOthers()) this.expectWhole(outcome, found, 'another connection')
      const { active } = (await site.host.stats()).transfers
      if (active !== 0) found(`${active} transfers under way`)
    }
    site.stop()
  }
}

/** strace takes one rule a call: the one that stands beside ends where the other begins. */
function merged (rules) {
  const calls = new Set(rules.map((rule) => rule.split(':')[0]))
  return calls.size === rules.length ? rules : rules.slice(-1)
}

/** Whether the program is told how many bytes were sent. */
function countsOf (way) {
  return ['transfer', 'raw', 'copied', 'tls', 'http2'].includes(way)
}

module.exports = { Matrix }
