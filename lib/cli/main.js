'use strict'

const { version } = require('../../package.json')
const { HELP, USAGE, UsageError, parseArguments } = require('./arguments')
const { printable } = require('./printable')
const { serve } = require('./serve')
const { shareOf } = require('./share')

const WRONG_USAGE = 2

/** The program. */
async function main (args) {
  // Who reads the output may leave: what is shared is served all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  try {
    const { help, version: wantsVersion, path, host, port } = parseArguments(args)
    if (help) process.stdout.write(HELP)
    else if (wantsVersion) console.log(version)
    else await serve(shareOf(path), { host, port })
  } catch (err) {
    console.error(`sendfile-native: ${printable(err.message)}`)
    if (err instanceof UsageError) console.error(USAGE)
    process.exitCode = err instanceof UsageError ? WRONG_USAGE : 1
  }
}

module.exports = { main }
