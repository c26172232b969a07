'use strict'

// What `--require sendfile-native/register` costs a program that sends nothing and only reads files as bytes, by
// `for await` over fs.createReadStream(): each round is a process of its own, and rounds with and without alternate.
//   npm run bench:bytes [-- <rounds>]

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { describe } = require('./lib/machine')
const { median, spread } = require('./lib/statistics')

const ROUNDS = Number(process.argv[2] ?? 9)
const SMALL_FILES = 200
const SMALL_BYTES = 4 << 10
const LARGE_BYTES = 256 << 20

/** What is read in one round: files, how often. */
const cases = {
  small: { name: '20,000 files of 4 KiB', files: (folder) => Array.from({ length: 20_000 }, (_, i) => path.join(folder, `small-${i % SMALL_FILES}`)) },
  large: { name: '4 times 256 MiB', files: (folder) => Array.from({ length: 4 }, () => path.join(folder, 'large')) }
}

/** In a process of its own. */
async function read (folder, kind) {
  const files = cases[kind].files(folder)
  const readAll = async (files) => {
    let bytes = 0
    for (const file of files) for await (const chunk of fs.createReadStream(file)) bytes += chunk.length
    return bytes
  }
  await readAll(files.slice(0, files.length >> 2)) // compiled code, pages in memory
  const cpu = process.cpuUsage()
  const begin = process.hrtime.bigint()
  const bytes = await readAll(files)
  const ms = Number(process.hrtime.bigint() - begin) / 1e6
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ bytes, ms, cpu: (user + system) / 1e3 }))
}

function measure (options, folder, kind) {
  const args = [...options, __filename, 'read', folder, kind]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

function cell (rounds, key) {
  return spread(rounds.map((round) => round[key]), 0)
}

function main () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-bench-'))
  try {
    for (let i = 0; i < SMALL_FILES; i++) fs.writeFileSync(path.join(folder, `small-${i}`), Buffer.alloc(SMALL_BYTES, i))
    fs.writeFileSync(path.join(folder, 'large'), Buffer.alloc(LARGE_BYTES, 1))
    const modes = { no: [], yes: ['--require', path.join(__dirname, '..', 'register.js')] }
    console.log(`${describe()}; median (min to max) of ${ROUNDS} rounds\n`)
    console.log('| read | register | ms | CPU ms | CPU, with : without |')
    console.log('| --- | --- | ---: | ---: | ---: |')
    for (const [kind, { name }] of Object.entries(cases)) {
      const results = { no: [], yes: [] }
      for (let round = 0; round < ROUNDS; round++) {
        for (const [mode, options] of Object.entries(modes)) results[mode].push(measure(options, folder, kind))
      }
      const [without, registered] = Object.values(results).map((rounds) => median(rounds.map(({ cpu }) => cpu)))
      for (const [mode, rounds] of Object.entries(results)) {
        const ratio = mode === 'yes' ? (registered / without).toFixed(3) : ''
        console.log(`| ${name} | ${mode} | ${cell(rounds, 'ms')} | ${cell(rounds, 'cpu')} | ${ratio} |`)
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

if (process.argv[2] === 'read') read(...process.argv.slice(3))
else main()
