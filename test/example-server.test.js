'use strict'

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const {
  MIB, cpuTicks, descriptors, digest, root, run, sha256, temporaryFile, temporaryFolder, test, turns, until
} = require('./helpers')
const { assertRefusesNoPorts, assertTellsWhyItCannotListen } = require('./helpers/example')

const SERVER = path.join(root, 'examples', 'server.js')
const USAGE = 'usage: sendfile <port> <path>\n'

/** The example, running: its port, what it said, and how to stop it as Ctrl-C does. */
async function serve (t, file, args = [SERVER, '0', file]) {
  const child = spawn(process.execPath, args, { cwd: root })
  t.after(() => child.kill('SIGKILL'))
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { said[name] += text })
  await until(() => said.stdout.includes('\n'))
  const [, port] = /on port (\d+)\n$/.exec(said.stdout)
  const stop = async () => {
    child.kill('SIGINT')
    return (await once(child, 'exit'))[0]
  }
  return { pid: child.pid, port: Number(port), said, stop }
}

async function connect (port, options = {}) {
  const socket = net.connect({ port, host: '127.0.0.1', ...options })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** However it ends. */
function closed (socket) {
  return new Promise((resolve) => socket.once('close', resolve))
}

/** What the process has open beyond what it keeps: clients, and files that it sends. */
function held (pid, file) {
  const targets = [...descriptors(pid).values()]
  return {
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
    files: targets.filter((target) => target === file).length
  }
}

test('says how to use it when an argument is missing', async () => {
  for (const args of [[], ['8080']]) {
    const { code, stdout, stderr } = await run([SERVER, ...args])
    assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: USAGE })
  }
})

test('says how to use it when the port is none', async () => {
  await assertRefusesNoPorts(SERVER, USAGE)
})

test('says in one line why it cannot listen', async (t) => {
  await assertTellsWhyItCannotListen(t, SERVER)
})

test('says what it does, and stops cleanly on Ctrl-C', async (t) => {
  const file = temporaryFile(t, MIB)
  const { port, said, stop } = await serve(t, file.path)
  assert.equal(said.stdout, `Sending ${file.path} to all connections on port ${port}\n`)
  const idle = await connect(port)
  assert.equal(await stop(), 0, 'with a client connected, too')
  assert.equal(said.stderr, '')
  idle.destroy()
})

test('clients that are fast, stalled, half-closed, talkative or gone get their bytes and leave nothing behind', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const whole = { sha256: sha256(file.bytes), length: file.bytes.length }
  const { pid, port, said, stop } = await serve(t, file.path)
  const before = held(pid, file.path)

  const stalled = (await connect(port)).pause()
  const gone = (await connect(port)).pause()
  const reset = (await connect(port)).pause()
  await until(() => held(pid, file.path).files === 3)

  const fast = digest(await connect(port))
  const half = await connect(port, { allowHalfOpen: true })
  half.end()
  const talkative = await connect(port)
  talkative.write('GET / HTTP/1.0\r\n\r\n'.repeat(100))
  gone.destroy()
  reset.resetAndDestroy()

  assert.deepEqual(await fast, whole)
  assert.deepEqual(await digest(half), whole)
  assert.deepEqual(await digest(talkative), whole)
  assert.deepEqual(await digest(stalled), whole)
  await until(() => {
    const { sockets, files } = held(pid, file.path)
    return sockets === before.sockets && files === 0
  })
  assert.deepEqual(await digest(await connect(port)), whole, 'and it still serves')
  assert.equal(await stop(), 0)
  assert.equal(said.stderr, '')
})

test('a stalled client costs no CPU', async (t) => {
  const file = temporaryFile(t, 40 * MIB)
  const { pid, port, stop } = await serve(t, file.path)
  const client = (await connect(port)).pause()
  await until(() => held(pid, file.path).files === 1)
  await turns(100)
  const before = cpuTicks(pid)
  const WINDOW_MS = 1500
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS))
  assert.ok(cpuTicks(pid) - before <= 1, 'one tick of 10 ms, should one have been under way')
  assert.deepEqual(await digest(client), { sha256: sha256(file.bytes), length: file.bytes.length })
  await stop()
})

test('1,000 clients that abort leave no descriptor', async (t) => {
  const file = temporaryFile(t, 8 * MIB)
  const { pid, port, said, stop } = await serve(t, file.path)
  const before = held(pid, file.path).sockets
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const client = await connect(port)
      if (i % 2 === 0) await once(client, 'readable')
      if (i % 3 === 0) client.resetAndDestroy()
      else client.destroy()
    }))
  }
  await until(() => {
    const { sockets, files } = held(pid, file.path)
    return sockets === before && files === 0
  })
  assert.deepEqual(await digest(await connect(port)), { sha256: sha256(file.bytes), length: file.bytes.length })
  assert.equal(await stop(), 0)
  assert.equal(said.stderr, '')
})

test('a file that cannot be read is reported, and ends that client only', async (t) => {
  const folder = temporaryFolder(t)
  const missing = path.join(folder, 'missing')
  const { pid, port, said, stop } = await serve(t, missing)
  const client = () => net.connect(port, '127.0.0.1').on('error', () => {}).resume()
  await closed(client())
  await until(() => said.stderr === `${missing}: ENOENT: no such file or directory, open '${missing}'\n`)

  fs.mkdirSync(missing)
  await closed(client())
  await until(() => said.stderr.endsWith(`${missing}: EINVAL: invalid argument, sendfile\n`))

  fs.rmdirSync(missing)
  fs.writeFileSync(missing, 'now there')
  assert.equal((await digest(await connect(port))).sha256, sha256('now there'))
  await until(() => held(pid, missing).files === 0)
  assert.equal(await stop(), 0)
})

test('the program of the README, with clients that say something and clients that do not', async (t) => {
  const blocks = fs.readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/```js\n([^]+?)```/g)
  const [, program] = [...blocks].find(([block]) => block.includes('trySendfile'))
  const listening = program.replace('.listen(8080, \'127.0.0.1\')',
    '.listen(0, \'127.0.0.1\', function () { console.log(\'on port \' + this.address().port) })')
  assert.notEqual(listening, program)
  const { pid, port, stop } = await serve(t, null, ['-e', listening])
  const readme = path.join(root, 'README.md')
  const before = held(pid, readme).sockets
  for (let i = 0; i < 20; i++) {
    const client = await connect(port)
    if (i % 2 === 0) client.write('hello')
    assert.equal((await digest(client)).sha256, sha256(fs.readFileSync(readme)))
  }
  await until(() => {
    const { sockets, files } = held(pid, readme)
    return sockets === before && files === 0
  })
  await stop()
})

test('an empty file is an empty answer', async (t) => {
  const { port, stop } = await serve(t, temporaryFile(t, '').path)
  assert.equal((await digest(await connect(port))).length, 0)
  assert.equal(await stop(), 0)
})
