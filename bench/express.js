'use strict'

// What `--require sendfile-native/register` does to an Express server that is asked for files as fast as it can answer:
// examples/express.js, with and without, each in a process of its own. Rounds of one and the other alternate.
// wrk (https://github.com/wg/wrk) asks; CPU is the server's alone, user and system.
//   npm run bench:express [-- <seconds a round>]

const { execFile, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')

const SECONDS = Number(process.argv[2] ?? 30)
const ROUNDS = 3
const CONNECTIONS = 32
const SIZES = { '16 KiB': 16 << 10, '1 MiB': 1 << 20, '64 MiB': 64 << 20 }
const TICKS_A_SECOND = 100
const GB = 1e9

const root = path.join(__dirname, '..')
const register = ['--require', path.join(root, 'register.js')]
const modes = { no: [], yes: register }

/** What wrk says in the end, for a program to read. */
const REPORT = `done = function (summary)
  io.write(string.format('\\n%d %d %d %d\\n', summary.requests, summary.bytes, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status))
end
`

async function start (options, folder) {
  const child = spawn(process.execPath, [...options, 'examples/express.js', '0', folder], {
    cwd: root, env: { ...process.env, NODE_ENV: 'production' }, stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
  return { child, port: Number(/on port (\d+)/.exec(line)[1]) }
}

/** CPU time of a process in seconds. */
function cpuSeconds (pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

async function ask (port, name, script, seconds) {
  const args = ['-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, '--timeout', '60s', '-s', script]
  const { stdout } = await promisify(execFile)('wrk', [...args, `http://127.0.0.1:${port}/${name}`])
  const [requests, bytes, microseconds, errors] = stdout.trim().split('\n').pop().split(' ').map(Number)
  if (errors) throw new Error(`${errors} requests failed`)
  return { requests, bytes, seconds: microseconds / 1e6 }
}

async function measure (options, folder, name, script) {
  const { child, port } = await start(options, folder)
  await ask(port, name, script, 1) // compiled code, pages in memory
  const before = cpuSeconds(child.pid)
  const { requests, bytes, seconds } = await ask(port, name, script, SECONDS)
  const cpu = cpuSeconds(child.pid) - before
  child.kill('SIGINT')
  await once(child, 'exit')
  return { requests: requests / seconds, rate: bytes / GB / seconds, cost: cpu / (bytes / GB) }
}

function median (values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}

function cell (rounds, key, digits) {
  const values = rounds.map((round) => round[key])
  const text = (value) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`
}

async function main () {
  if (spawnSync('wrk', ['--version']).error) {
    console.error('wrk is missing: install it, on Debian with apt-get install wrk')
    process.exit(1)
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-bench-'))
  try {
    const script = path.join(folder, 'report.lua')
    fs.writeFileSync(script, REPORT)
    const [{ model }] = os.cpus()
    console.log(`Node ${process.version}, Linux ${os.release()}, ${model.trim()}, ${os.cpus().length} cores; ${new Date().toISOString().slice(0, 10)}; ` +
      `median (min to max) of ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections\n`)
    console.log('| file | register | requests/s | GB/s | CPU s a GB | ratio |')
    console.log('| --- | --- | ---: | ---: | ---: | ---: |')
    for (const [size, bytes] of Object.entries(SIZES)) {
      const name = String(bytes)
      fs.writeFileSync(path.join(folder, name), Buffer.alloc(bytes, 1))
      const results = { no: [], yes: [] }
      for (let round = 0; round < ROUNDS; round++) {
        for (const [mode, options] of Object.entries(modes)) {
          results[mode].push(await measure(options, folder, name, script))
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
