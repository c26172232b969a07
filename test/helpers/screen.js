'use strict'

/** What a terminal shows of a program's output: lines that are too long wrap, nothing scrolls away. */
class Screen {
  rows = ['']
  row = 0
  column = 0

  constructor (columns) {
    this.columns = columns
  }

  write (text) {
    // eslint-disable-next-line no-control-regex -- of which it understands these
    for (const [piece, control, count, command] of text.matchAll(/(\x1b\[(\d*)([A-Za-z]))|\r|\n|[^\r\n\x1b]/g)) {
      if (control) this.control(command, Number(count || (command === 'A' ? 1 : 0)))
      else if (piece === '\r') this.column = 0
      else if (piece === '\n') this.moveTo(this.row + 1, this.column)
      else this.put(piece)
    }
  }

  control (command, count) {
    if (command === 'A') {
      this.row = Math.max(this.row - count, 0)
    } else if (command === 'J' && count === 0) {
      this.rows.length = this.row + 1
      this.rows[this.row] = this.rows[this.row].slice(0, this.column)
    } else {
      throw new Error(`This terminal knows no ${count}${command}`)
    }
  }

  put (character) {
    if (this.column === this.columns) this.moveTo(this.row + 1, 0)
    const row = this.rows[this.row].padEnd(this.column)
    this.rows[this.row] = row.slice(0, this.column) + character + row.slice(this.column + 1)
    this.column++
  }

  moveTo (row, column) {
    this.row = row
    this.column = column
    while (this.rows.length <= row) this.rows.push('')
  }

  /** As terminals do, long lines are wrapped anew. */
  resize (columns) {
    this.rows = this.rows.flatMap((row) => row.match(new RegExp(`.{1,${columns}}`, 'g')) ?? [''])
    this.row = this.rows.length - 1
    this.columns = columns
  }

  get text () {
    return this.rows.join('\n')
  }
}

module.exports = { Screen }
