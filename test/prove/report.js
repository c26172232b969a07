'use strict'

// The table of the proofs, and its place in docs/reliability.md: between two comments, which stay.

const { describe } = require('../../bench/lib/machine')

const BEGIN = '<!-- proofs -->'
const END = '<!-- /proofs -->'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function size (bytes) {
  if (bytes === 0) return ''
  const unit = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  return `${(bytes / 1024 ** unit).toFixed(unit > 2 ? 1 : 0)} ${UNITS[unit]}`
}

function time (seconds) {
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

const number = (value) => value === 0 ? '' : value.toLocaleString('en')

/** @param {{ title: string, name: string, result?: object }[]} rows */
function table (rows) {
  const lines = rows.map(({ name, title, result }) => {
    if (result === undefined) return `| ${title} | \`${name}\` | not run | | | | | |`
    const findings = result.complaint === null ? result.findings : `${result.findings}: ${result.complaint}`
    return `| ${title} | \`${name}\` | ${number(result.cases)} | ${number(result.faults)} | ${size(result.bytes)} | ${findings} | ${time(result.seconds)} | ${result.commit} |`
  })
  return [
    '| proof | `--only` | cases | faults survived | bytes verified | findings | time | commit |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...lines
  ].join('\n')
}

/** Markdown: where and when, the table, and what was left out. */
function report (rows, mode) {
  const notes = rows.flatMap(({ name, result }) => (result?.notes ?? []).map((note) => `- \`${name}\`: ${note}`))
  const command = mode === 'quick' ? 'npm run prove -- --quick' : 'npm run prove'
  const parts = [`\`${command}\` on ${describe()}.`, table(rows)]
  if (notes.length > 0) parts.push('Left out, and why:', notes.join('\n'))
  return parts.join('\n\n')
}

function insert (text, written) {
  const [begin, end] = [BEGIN, END].map((mark) => text.indexOf(mark))
  if (begin === -1 || end < begin) throw new Error(`there is no ${BEGIN} and ${END}`)
  return `${text.slice(0, begin + BEGIN.length)}\n\n${written}\n\n${text.slice(end)}`
}

module.exports = { insert, report }
