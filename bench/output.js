'use strict'

// Where the results go.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { charts } = require('./charts')
const { root } = require('./lib/program')
const { insert } = require('./readme')
const { report, summary } = require('./report')

const DIGITS = 5

const docs = path.join(root, 'docs')
const readme = path.join(root, 'README.md')

/** As JSON, a case a line, in as many digits as mean anything. */
function json ({ cases, ...rest }) {
  const short = (key, value) => typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value
  const head = JSON.stringify(rest, null, 2).replace(/\n\}$/, '')
  return `${head},\n  "cases": [\n${cases.map((each) => JSON.stringify(each, short)).join(',\n')}\n  ]\n}\n`
}

/**
 * Writes what was measured, and says where.
 * @param {{ isWritten: boolean, to?: string }} options into the repository, into this folder, or into a temporary one
 */
async function write (results, { isWritten, to }) {
  const folder = isWritten ? docs : to ?? fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-results-'))
  fs.mkdirSync(path.join(folder, 'charts'), { recursive: true })
  const text = report(results)
  fs.writeFileSync(path.join(folder, 'benchmark.json'), json(results))
  fs.writeFileSync(path.join(folder, 'benchmark.md'), text)
  const drawn = await charts(results)
  for (const [name, { svg }] of Object.entries(drawn)) fs.writeFileSync(path.join(folder, 'charts', `${name}.svg`), svg)
  if (isWritten) {
    const titles = Object.fromEntries(Object.entries(drawn).map(([name, { title }]) => [name, title]))
    fs.writeFileSync(readme, insert(fs.readFileSync(readme, 'utf8'), summary(results), titles))
  }
  console.log(text)
  console.error(`written to ${folder}`)
}

module.exports = { write }
