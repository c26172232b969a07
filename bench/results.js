'use strict'

// Looks things up in what bench/index.js has measured.

const { median } = require('./lib/statistics')
const { ours } = require('./servers')

/** All rounds of a server in a case for one column; undefined if there are none. */
function values (results, caseName, server, column) {
  const rounds = results.cases.find(({ name }) => name === caseName)?.servers[server]?.rounds ?? []
  const all = rounds.map((round) => round[column]).filter((value) => typeof value === 'number')
  return all.length ? all : undefined
}

/** Their median. */
function middle (...where) {
  const all = values(...where)
  return all && median(all)
}

/** How many times that of one server is that of another. */
function times (results, caseName, column, server, other) {
  const [one, two] = [server, other].map((name) => middle(results, caseName, name, column))
  return one === undefined || two === undefined ? undefined : one / two
}

/** The server that others are measured by in a case: this package's first that has part in it. */
function baseOf (results, caseName) {
  const servers = results.cases.find(({ name }) => name === caseName)?.servers ?? {}
  return ours.find((name) => servers[name]?.rounds.length)
}

module.exports = { baseOf, middle, times, values }
