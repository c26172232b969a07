'use strict'

// The results as bars, in SVG by Vega: this package's in colour, the others' grey, legible on light and on dark.

const { median } = require('./lib/statistics')
const { values } = require('./results')
const { ours } = require('./servers')

const COLOUR = '#2f81f7'
const GREY = '#8b949e'
const TEXT = '#7d8590'
const BAR_PX = 16
const WIDTH_PX = 180
const COLUMNS = 2

/** What is drawn: a facet for each case, `digits` as d3-format has them. */
const drawn = {
  requests: { title: 'Requests a second: more is better', column: 'requests', cases: ['1KiB', '16KiB', '128KiB', '1MiB'], digits: ',.3~s' },
  throughput: { title: 'GB a second: more is better', column: 'rate', cases: ['64MiB', '1GiB', '1MiB-1', '1MiB-2000'], digits: '.2~f' },
  cpu: { title: 'CPU seconds a GB: less is better', column: 'cost', cases: ['16KiB', '128KiB', '1MiB', '64MiB', '1GiB', '1MiB-2000'], digits: '.2~r' },
  loop: { title: 'Event loop delay p99, ms, during 64 downloads: less is better', column: 'delay', cases: ['loop'], digits: '.1~f' },
  route: { title: 'JSON route p99, ms, during 64 downloads: less is better', column: 'route', cases: ['loop'], digits: '.1~f' },
  stalled: { title: 'Bytes a stalled download takes beyond an idle connection: less is better', column: 'beyond', cases: ['stalled'], digits: ',.0f' }
}

/** A row for each bar. */
function rows (results, { column, cases }) {
  return results.cases.filter(({ name }) => cases.includes(name)).flatMap((each) => results.servers
    .map(({ name, title }) => ({ name, server: title.replaceAll('`', ''), all: values(results, each.name, name, column) }))
    .filter(({ all }) => all)
    .map(({ name, server, all }) => ({
      case: each.title.replace(', 16 connections', ''),
      server,
      value: median(all),
      least: Math.min(...all),
      most: Math.max(...all),
      isOurs: ours.includes(name)
    })))
}

/** In Vega-Lite. */
function chart ({ title, digits }, data) {
  const y = { field: 'server', type: 'nominal', sort: null, title: null, axis: { labelLimit: 260 } }
  const x = { type: 'quantitative', title: null, axis: null }
  const cases = [...new Set(data.map((row) => row.case))]
  const isOne = cases.length === 1
  const bars = {
    width: isOne ? 2 * WIDTH_PX : WIDTH_PX,
    height: { step: BAR_PX },
    layer: [
      {
        mark: { type: 'bar', height: BAR_PX - 4 },
        encoding: { x: { ...x, field: 'value' }, y, color: { condition: { test: 'datum.isOurs', value: COLOUR }, value: GREY } }
      },
      { mark: { type: 'rule', color: TEXT }, encoding: { x: { ...x, field: 'least' }, x2: { field: 'most' }, y } },
      {
        mark: { type: 'text', align: 'left', dx: 4, color: TEXT },
        encoding: { x: { ...x, field: 'most' }, y, text: { field: 'value', type: 'quantitative', format: digits } }
      }
    ]
  }
  const facets = { facet: { field: 'case', type: 'nominal', sort: cases, title: null }, columns: COLUMNS, spec: bars }
  return {
    title: { text: title, anchor: 'start' },
    data: { values: data },
    padding: { left: 5, top: 5, bottom: 5, right: 40 },
    ...(isOne ? bars : { ...facets, resolve: { scale: { x: 'independent' } } }),
    config: {
      aria: false,
      background: 'transparent',
      view: { stroke: null },
      font: 'system-ui, sans-serif',
      title: { color: TEXT },
      header: { labelColor: TEXT },
      axis: { labelColor: TEXT, domain: false, ticks: false, grid: false }
    }
  }
}

/** `{ title, svg }` by name. */
async function charts (results) {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')])
  const made = {}
  for (const [name, options] of Object.entries(drawn)) {
    const data = rows(results, options)
    if (data.length === 0) continue
    const view = new vega.View(vega.parse(vegaLite.compile(chart(options, data)).spec), { renderer: 'none' })
    made[name] = { title: options.title, svg: await view.toSVG() }
  }
  return made
}

module.exports = { charts }
