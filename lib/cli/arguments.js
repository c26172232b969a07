'use strict'

const { parseArgs } = require('node:util')

const DEFAULT_PORT = 8080
const DEFAULT_HOST = '127.0.0.1'

const USAGE = 'usage: sendfile-native <folder|file> [--port <number>] [--host <address>]'

const HELP = `${USAGE}

Shares a folder, or one file, over HTTP.

  -p, --port <number>   the port, or 0 for any (default: ${DEFAULT_PORT}, or the next that is free)
  -H, --host <address>  the address to listen at (default: ${DEFAULT_HOST}; 0.0.0.0 or :: for other machines, too)
  -h, --help            prints this
  -v, --version         prints the version
`

/** What is the matter with the command, in a sentence. */
class UsageError extends Error {}

/**
 * @param {string[]} args
 * @returns {{ help: boolean, version: boolean, path: string, port: number | undefined, host: string }}
 * @throws {UsageError}
 */
function parseArguments (args) {
  const { values: { help = false, version = false, port, host = DEFAULT_HOST }, positionals } = parse(args)
  if (!help && !version) {
    if (positionals.length === 0) throw new UsageError('There is no folder or file to share')
    if (positionals.length > 1) throw new UsageError(`One folder or file can be shared, not ${positionals.length}`)
    if (host === '') throw new UsageError('The host is empty')
  }
  return { help, version, path: positionals[0], port: port === undefined ? undefined : portOf(port), host }
}

function parse (args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        port: { type: 'string', short: 'p' },
        host: { type: 'string', short: 'H' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' }
      }
    })
  } catch (err) {
    if (!/^ERR_PARSE_ARGS_/.test(err.code)) throw err
    // What follows the first sentence is advice on other programs' arguments.
    throw new UsageError(err.message.split(/\.\s|\n/)[0])
  }
}

function portOf (text) {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new UsageError(`'${text}' is no port: 0 to 65535`)
  return Number(text)
}

module.exports = { DEFAULT_PORT, HELP, USAGE, UsageError, parseArguments }
