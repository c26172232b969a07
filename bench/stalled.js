'use strict'

// What clients that take nothing cost the server: JavaScript heap, resident memory and descriptors for each, of an
// idle connection and of a response that waits in the middle of its body.
//   npm run bench:stalled [-- <connections>]

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')

const CONNECTIONS = Number(process.argv[2] ?? 2000)
const WARM_UP = 200
const AT_ONCE = 100
const FILE_BYTES = 64 << 20

/** How the body is sent. */
const modes = {
  'an idle connection': null,
  'a request that was not answered': () => () => {},
  'res.end(buffer), the same buffer for all': () => {
    const buffer = Buffer.alloc(FILE_BYTES)
    return (res) => res.end(buffer)
  },
  'transferFile(res, path)': (file) => (res) => require('sendfile-native').transferFile(res, file).catch(() => {}),
  'createReadStream(path).pipe(res)': (file) => (res) => fs.createReadStream(file).pipe(res)
}

function serve (mode, file) {
  const send = modes[mode]?.(file)
  const held = [] // as a server that knows its clients would
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (req, res) => {
    if (send) held.push(res)
    if (send) send(res)
    else res.end()
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.on('message', () => {
    for (let i = 0; i < 4; i++) global.gc()
    process.send({
      heap: process.memoryUsage().heapUsed,
      resident: process.memoryUsage.rss(),
      descriptors: fs.readdirSync('/proc/self/fd').length
    })
  })
}

async function measure (mode, file) {
  const server = fork(__filename, ['serve', mode, file], { execArgv: ['--expose-gc'] })
  const ask = async () => {
    server.send('measure')
    return (await once(server, 'message'))[0]
  }
  const [port] = await once(server, 'message')
  const sockets = []
  const connect = async (count) => {
    for (let i = 0; i < count; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        const socket = net.connect(port, '127.0.0.1').pause()
        sockets.push(socket)
        await once(socket, 'connect')
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      }))
    }
    let last
    let now = await ask()
    do { // until nothing moves
      last = now
      await new Promise((resolve) => setTimeout(resolve, 500))
      now = await ask()
    } while (now.descriptors !== last.descriptors || Math.abs(now.heap - last.heap) > 50_000)
    return now
  }
  const before = await connect(WARM_UP)
  const after = await connect(CONNECTIONS)
  for (const socket of sockets) socket.destroy()
  server.kill()
  await once(server, 'exit')
  return (name) => (after[name] - before[name]) / CONNECTIONS
}

async function main () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-'))
  const file = path.join(folder, 'file')
  fs.writeFileSync(file, Buffer.alloc(FILE_BYTES))
  console.log(`Node ${process.version}, ${CONNECTIONS} connections, each:`)
  console.log('| | heap, bytes | resident, bytes | descriptors |\n| --- | ---: | ---: | ---: |')
  for (const mode of Object.keys(modes)) {
    const each = await measure(mode, file)
    const [heap, resident] = ['heap', 'resident'].map((name) => Math.round(each(name)))
    console.log(`| ${mode} | ${heap} | ${resident} | ${each('descriptors').toFixed(1)} |`)
  }
  fs.rmSync(folder, { recursive: true })
}

if (process.argv[2] === 'serve') serve(process.argv[3], process.argv[4])
else main()
