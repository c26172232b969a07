'use strict'

// What `--require sendfile-native/register` does to an Express server that is asked for files as fast as it can answer:
// examples/express.js, with and without, each in a process of its own. Rounds of one and the other alternate.
// wrk asks; CPU is the server's alone, user and system.
//   npm run bench:express [-- <seconds a round>]

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { describe } = require('./lib/machine')
const { cpuSeconds, root, start } = require('./lib/program')
const { median, spread } = require('./lib/statistics')
const { ask, isInstalled } = require('./lib/wrk')

const SECONDS = Number(process.argv[2] ?? 30)
const ROUNDS = 3
const CONNECTIONS = 32
const SIZES = { '16 KiB': 16 << 10, '1 MiB': 1 << 20, '64 MiB': 64 << 20 }
const GB = 1e9

const register = ['--require', path.join(root, 'register.js')]
const modes = { no: [], yes: register }

async function measure (options, folder, name) {
  const { child, port, stop } = await start(process.execPath, [...options, 'examples/express.js', '0', folder])
  const load = (seconds) => ask({ port, path: `/${name}`, connections: CONNECTIONS, seconds, folder })
  await load(1) // compiled code, pages in memory
  const before = cpuSeconds(child.pid)
  const { requests, bytes, seconds } = await load(SECONDS)
  const cpu = cpuSeconds(child.pid) - before
  await stop()
  return { requests: requests / seconds, rate: bytes / GB / seconds, cost: cpu / (bytes / GB) }
}

function cell (rounds, key, digits) {
  return spread(rounds.map((round) => round[key]), digits)
}

async function main () {
  if (!isInstalled()) {
    console.error('wrk is missing: install it, on Debian with apt-get install wrk')
    process.exit(1)
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-bench-'))
  try {
    console.log(`${describe()}; median (min to max) of ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections\n`)
    console.log('| file | register | requests/s | GB/s | CPU s a GB | ratio |')
    console.log('| --- | --- | ---: | ---: | ---: | ---: |')
    for (const [size, bytes] of Object.entries(SIZES)) {
      const name = String(bytes)
      fs.writeFileSync(path.join(folder, name), Buffer.alloc(bytes, 1))
      const results = { no: [], yes: [] }
      for (let round = 0; round < ROUNDS; round++) {
        for (const [mode, options] of Object.entries(modes)) {
          results[mode].push(await measure(options, folder, name))
        }
      }
      for (const [mode, rounds] of Object.entries(results)) {
        const costs = Object.values(results).map((each) => median(each.map(({ cost }) => cost)))
        const ratio = mode === 'yes' ? (costs[0] / costs[1]).toFixed(2) : ''
        console.log(`| ${size} | ${mode} | ${cell(rounds, 'requests', 1)} | ${cell(rounds, 'rate', 2)} | ${cell(rounds, 'cost', 2)} | ${ratio} |`)
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

main()
