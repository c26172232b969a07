'use strict'

// What downloads do to the event loop of the server that sends them: the delay of its timers, idle and with
// 64 clients that take all they can get, by transferFile and by fs.createReadStream().pipe().
//   npm run bench:loop [-- <seconds>]

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { monitorEventLoopDelay } = require('node:perf_hooks')
const { describe } = require('./lib/machine')

const CLIENTS = 64
const FILE_BYTES = 64 << 20
const SECONDS = Number(process.argv[2] ?? 5)
const WARM_UP_MS = 500

const roles = {
  /** Serves one file; tells of its loop while told to measure. */
  server (mode, file) {
    const { transferFile } = require('sendfile-native')
    const send = {
      transferFile: (res) => transferFile(res, file),
      pipe: (res) => {
        res.setHeader('Content-Length', FILE_BYTES)
        fs.createReadStream(file).pipe(res)
      }
    }[mode]
    const server = http.createServer((req, res) => send(res)?.catch(() => {}))
    server.listen(0, '127.0.0.1', () => process.send(server.address().port))
    const delay = monitorEventLoopDelay({ resolution: 1 })
    let cpu
    process.on('message', (message) => {
      if (message === 'begin') {
        delay.reset()
        delay.enable()
        cpu = process.cpuUsage()
      } else {
        delay.disable()
        const { user, system } = process.cpuUsage(cpu)
        const [p50, p99, max] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => ns / 1e6)
        process.send({ p50, p99, max, cpu: (user + system) / 1e6 })
      }
    })
  },

  /** Reads as fast as it can, and counts. */
  client (port) {
    let bytes = 0
    const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for (let i = 0; i < CLIENTS; i++) {
      let left = 0
      const socket = net.connect({
        port: Number(port),
        host: '127.0.0.1',
        onread: {
          buffer: Buffer.alloc(256 << 10),
          callback (length) {
            bytes += length
            left -= length
            if (left <= 0) {
              left = FILE_BYTES
              socket.write(request)
            }
          }
        }
      }, () => {
        left = FILE_BYTES
        socket.write(request)
      })
      socket.on('error', () => {})
    }
    process.on('message', () => {
      process.send(bytes)
      bytes = 0
    })
  }
}

function start (t, ...args) {
  const child = fork(__filename, ['role', ...args])
  t.push(child)
  return child
}

async function ask (child, question) {
  child.send(question)
  return (await once(child, 'message'))[0]
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function measure (mode, file, withClients) {
  const children = []
  const server = start(children, 'server', mode, file)
  const [port] = await once(server, 'message')
  const clients = withClients ? start(children, 'client', String(port)) : null
  await sleep(WARM_UP_MS)
  if (clients) await ask(clients, 'count')
  server.send('begin')
  await sleep(SECONDS * 1000)
  const result = await ask(server, 'end')
  result.bytes = clients ? await ask(clients, 'count') : 0
  for (const child of children) child.kill()
  return result
}

async function main () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-bench-'))
  const file = path.join(folder, 'file')
  fs.writeFileSync(file, Buffer.alloc(FILE_BYTES, 1))
  console.log(`${describe()}; ${SECONDS} s each, ${CLIENTS} clients\n`)
  console.log('| server | loop delay p50 ms | p99 ms | max ms | GiB/s | CPU s a GiB |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |')
  const cases = [
    ['idle', 'transferFile', false],
    ['`transferFile(res, file)`', 'transferFile', true],
    ['`fs.createReadStream(file).pipe(res)`', 'pipe', true]
  ]
  for (const [name, mode, withClients] of cases) {
    const { p50, p99, max, cpu, bytes } = await measure(mode, file, withClients)
    const gib = bytes / 2 ** 30
    const [rate, cost] = withClients ? [(gib / SECONDS).toFixed(2), (cpu / gib).toFixed(2)] : ['', '']
    console.log(`| ${name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${max.toFixed(2)} | ${rate} | ${cost} |`)
  }
  fs.rmSync(folder, { recursive: true })
}

if (process.argv[2] === 'role') roles[process.argv[3]](...process.argv.slice(4))
else main()
