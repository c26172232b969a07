'use strict'

// Files whose every read takes 100 ms: test/slowfs.

const { execFileSync } = require('node:child_process')
const path = require('node:path')
const { root } = require('./program')

const READ_MS = 100
const BYTES = 16 << 20
const FILES = 8

/** Why there can be none here; '' when there can. */
function unavailable () {
  execFileSync('cargo', ['build', '--quiet', '--locked', '-p', 'slowfs'], { cwd: root, stdio: ['ignore', 2, 2] })
  return require('../../test/helpers/slowfs').unavailable()
}

/** A folder to be served, which takes other files too, and the paths of the slow ones: `{ folder, paths, remove }`. */
async function mount () {
  const cleanups = []
  const bytes = Buffer.alloc(BYTES, 1)
  const names = Array.from({ length: FILES }, (_, i) => `slow-${i}`)
  const files = Object.fromEntries(names.map((name) => [name, bytes]))
  const { folder, command } = await require('../../test/helpers/slowfs').mount({ after: (cleanup) => cleanups.push(cleanup) }, files)
  await command('cache drop') // every download reads anew
  await command(`delay read ${READ_MS}`)
  const paths = names.map((name) => `/${path.basename(folder)}/${name}`)
  const remove = async () => {
    for (const cleanup of cleanups) await cleanup()
  }
  return { folder: path.dirname(folder), paths, remove }
}

module.exports = { mount, unavailable }
