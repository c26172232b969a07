'use strict'

// The results as Markdown: everything beside this package, which is 1x.

const columns = require('./columns')
const { describe } = require('./lib/machine')
const { median, number, spread } = require('./lib/statistics')
const { baseOf, times, values } = require('./results')
const { ours } = require('./servers')
const targets = require('./targets')

const NOTHING = ''

function table (heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map((_, i) => i === 0 ? '---' : '---:')), ...rows.map(line)].join('\n')
}

function ratio (value) {
  return value === undefined ? NOTHING : `${number(value, value < 10 ? 2 : 1)}x`
}

/** Whether any server has such a column in this case. */
function isTold (results, caseName, column) {
  return results.servers.some(({ name }) => values(results, caseName, name, column))
}

/** A matrix of one column over the cases of the summary, as times that of this package. */
function matrix (results, column) {
  const relevant = results.cases.filter(({ name, short }) => short && isTold(results, name, column))
  if (relevant.length === 0) return NOTHING
  const rows = results.servers.map(({ name, title }) => [
    title, ...relevant.map((each) => ratio(times(results, each.name, column, name, baseOf(results, each.name))))
  ])
  return table(['', ...relevant.map(({ short }) => short)], rows)
}

function cell (results, caseName, server, column) {
  const { digits, factor = 1, unit = '', isRelative } = columns[column]
  const all = values(results, caseName, server, column)?.map((value) => value * factor)
  if (!all) return NOTHING
  return `${isRelative ? spread(all, digits) : number(median(all), digits)}${unit}`
}

function caseTable (results, { name, title, columns: named, servers }) {
  const shown = named.filter((column) => isTold(results, name, column))
  const heads = shown.map((column) => columns[column]).flatMap(({ title, isRelative }) => isRelative ? [title, 'x'] : [title])
  const base = baseOf(results, name)
  const rows = results.servers.filter((server) => servers[server.name]?.rounds.length).map((server) => [
    server.title,
    ...shown.flatMap((column) => {
      const text = cell(results, name, server.name, column)
      return columns[column].isRelative ? [text, ratio(times(results, name, column, server.name, base))] : [text]
    })
  ])
  const left = results.servers.filter((server) => servers[server.name]?.refused)
    .map((server) => `${server.title}: ${servers[server.name].refused}`)
  return [`### ${title}`, table(['', ...heads], rows), ...(left.length ? [`Without ${left.join('; ')}.`] : [])].join('\n\n')
}

function targetTable (results) {
  const own = results.servers.filter(({ name }) => ours.includes(name))
  const rows = targets.map(({ title, wanted, unit, digits = 2, isMet, reach }) => [
    title, `${wanted}${unit}`,
    ...own.map(({ name }) => {
      const value = reach(results, name)
      return value === undefined ? NOTHING : `${number(value, digits)}${unit}${isMet(value) ? '' : ' (missed)'}`
    })
  ]).filter((row) => row.slice(2).some((text) => text !== NOTHING))
  return rows.length ? table(['', 'target', ...own.map(({ title }) => title)], rows) : NOTHING
}

/** Markdown without the heading of the document. */
function summary (results) {
  const versions = results.servers.filter(({ version }) => version).map(({ name, version }) => `${name} ${version}`)
  return [
    `${describe(results.machine)}; ${versions.join(', ')}. Median of ${results.rounds} rounds of ${results.seconds} s; ` +
    `the machine's load was ${number(results.machine.loadBefore, 1)} before.`,
    ...results.skipped.map(({ name, reason }) => `Skipped: ${name} (${reason}).`),
    '**Bytes a second**, this package = 1x; more is better.',
    matrix(results, 'rate'),
    '**CPU for the same bytes**, this package = 1x; less is better.',
    matrix(results, 'cost')
  ].filter((text) => text !== NOTHING).join('\n\n')
}

function introduction ({ machine, servers }) {
  const [title] = ours.map((name) => servers.find((server) => server.name === name)?.title).filter(Boolean)
  const place = machine.clientCpu ? `, which have their place on CPU ${machine.clientCpu}` : ''
  return '`npm run bench` wrote this. Each server is a process of its own, which shares the machine with its clients' +
    `${place}; a case goes round all servers, then round again. A cell is the median (least to most). \`x\` is how many times that of ${title ?? 'this package'} it is.`
}

function report (results) {
  const reached = targetTable(results)
  return [
    '# Benchmarks',
    introduction(results),
    summary(results),
    ...(reached ? ['## What was meant to be reached', reached] : []),
    '## Each case',
    ...results.cases.map((each) => each.reason ? `### ${each.title}\n\nSkipped: ${each.reason}.` : caseTable(results, each))
  ].join('\n\n') + '\n'
}

module.exports = { report, summary }
