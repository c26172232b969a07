'use strict'

// A line for each download under way, at the bottom of a terminal, ten times a second.

const { performance } = require('node:perf_hooks')
const { progressLine } = require('./progress-line')
const { RateMeter } = require('./rate-meter')

const REDRAW_MS = 100
const MOST_LINES = 10

class Progress {
  /** @param {tty.WriteStream} terminal */
  constructor (terminal) {
    this.terminal = terminal
    this.meters = new Map()
    this.timer = null
    /** The lines that are there. */
    this.drawn = []
    terminal.on('resize', () => this.redraw())
  }

  /** @param {Exchange} download is shown until it is removed */
  add (download) {
    this.meters.set(download, new RateMeter())
    this.timer ??= setInterval(() => this.redraw(), REDRAW_MS).unref()
  }

  remove (download) {
    this.meters.delete(download)
    if (this.meters.size > 0) return
    clearInterval(this.timer)
    this.timer = null
    this.erase()
  }

  /** Has something printed above the lines. */
  printAbove (print) {
    const lines = this.drawn
    this.erase()
    print()
    this.draw(lines)
  }

  redraw () {
    const lines = this.lines()
    this.erase()
    this.draw(lines)
  }

  draw (lines) {
    if (lines.length > 0) this.terminal.write(lines.map((line) => `${line}\n`).join(''))
    this.drawn = lines
  }

  erase () {
    const { columns } = this.size()
    // In a terminal that has become narrower they have been wrapped.
    const rows = this.drawn.reduce((sum, line) => sum + Math.max(Math.ceil(line.length / columns), 1), 0)
    if (rows > 0) this.terminal.write(`\x1b[${rows}A\r\x1b[J`)
    this.drawn = []
  }

  lines () {
    const { columns, rows } = this.size()
    const now = performance.now()
    const lines = []
    for (const [download, meter] of this.meters) {
      const { client, total, bytesWritten: bytes } = download
      if (total === null) continue // not that far
      // The last column is left alone: some terminals wrap as soon as it is written.
      lines.push(progressLine({ client, bytes, total, rate: meter.sample(bytes, now) }, columns - 1))
    }
    const most = Math.max(Math.min(MOST_LINES, rows - 2), 1)
    if (lines.length <= most) return lines
    return [...lines.slice(0, most - 1), `and ${lines.length - most + 1} more`.slice(0, columns - 1)]
  }

  /** Some terminals do not know theirs. */
  size () {
    const { columns, rows } = this.terminal
    return { columns: columns > 1 ? columns : 80, rows: rows > 0 ? rows : 24 }
  }
}

module.exports = { Progress }
