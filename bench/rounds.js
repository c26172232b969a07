'use strict'

// The rounds of a case: every server, then every server again.

const { COLD_BYTES, sizes } = require('./lib/files')
const { probe } = require('./lib/probe')
const { peakMemory } = require('./lib/program')

/** What a server answers in a case is looked at: why it has no part in it, or '', and how long the answer is. */
async function examine (server, each, folder) {
  const { port } = server
  const refused = (reason) => ({ refused: reason })
  for (const name of [each.alsoAsked, each.beside && [each.beside.path].flat()[0].slice(1)].filter(Boolean)) {
    const { status } = await probe({ port, folder, name })
    if (status !== 200) return refused(`answers ${status} to /${name}`)
  }
  if (!each.file) return { refused: '', length: COLD_BYTES }
  const { status, length, type } = await probe({ port, folder, name: each.file, ranges: each.ranges })
  if (status !== (each.status ?? 200)) return refused(`answers ${status}`)
  if (each.ranges && !type.startsWith('multipart/byteranges')) return refused('answers with other ranges')
  if (!each.ranges && length !== sizes[each.file]) throw new Error(`a body of ${length} bytes`)
  return { refused: '', length }
}

/**
 * All of them: what each server had to say, by its name.
 * @param {{ rounds: number, seconds: number, warm: number, first: number }} pace
 * @param {{ parent: string, folder: string }} place of the files
 */
async function measure (each, servers, pace, place) {
  const told = Object.fromEntries(servers.map(({ name }) => [name, { rounds: [] }]))
  const entries = servers.map(({ name, start }) => ({ name, start, server: null, length: sizes[each.file] }))

  /** One that fails has no further part, and the others go on. */
  const guarded = async (entry, run) => {
    if (told[entry.name].refused) return
    try {
      await run()
    } catch (err) {
      told[entry.name].refused = `failed: ${err.message}`
      console.error(`${each.name}: ${entry.name} failed: ${err.message}`)
      process.exitCode = 1
    }
  }

  try {
    if (!each.ownServers) {
      await Promise.all(entries.map((entry) => guarded(entry, async () => {
        entry.server = await entry.start(place.folder)
      })))
      for (const entry of entries) {
        await guarded(entry, async () => {
          const { refused, length } = await examine(entry.server, each, place.folder)
          if (refused) told[entry.name].refused = refused
          else entry.length = length
        })
      }
    }
    for (let round = 0; round < (each.rounds ?? pace.rounds); round++) {
      const warm = Math.max(round === 0 ? pace.first : pace.warm, each.warm ?? 0)
      for (const entry of entries) {
        await guarded(entry, async () => {
          const result = await each.measure({ ...pace, ...place, ...entry, warm }, each)
          if (entry.server) result.memory = entry.server.pids.map(peakMemory).reduce((sum, bytes) => sum + bytes, 0)
          told[entry.name].rounds.push(result)
        })
      }
    }
  } finally {
    await Promise.all(entries.map(({ server }) => server?.stop()))
  }
  return told
}

module.exports = { measure }
