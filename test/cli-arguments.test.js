'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { temporaryFile, temporaryFolder, test, until } = require('./helpers')
const { HOST, PROGRAM, runCli, startCli } = require('./helpers/cli')
const { version } = require('sendfile-native/package.json')

const USAGE = 'usage: sendfile-native <folder|file> [--port <number>] [--host <address>]\n'

/** It ends at once with what is wrong, in one sentence, and how it is used. */
async function assertRefused (args, why, options) {
  const { code, stdout, stderr } = await runCli(args, options)
  assert.deepEqual({ args, code, stdout, stderr }, { args, code: 2, stdout: '', stderr: `sendfile-native: ${why}\n${USAGE}` })
}

/** A server of somebody else. */
async function occupy (t, port) {
  const server = net.createServer()
  t.after(() => server.close())
  server.listen(port, HOST)
  await once(server, 'listening')
  return server.address().port
}

test('--help and --version are answered on stdout', async () => {
  for (const flag of ['--help', '-h']) {
    const { code, stdout, stderr } = await runCli([flag])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.ok(stdout.startsWith(USAGE))
    for (const option of ['--port', '--host', '--help', '--version']) assert.match(stdout, new RegExp(`, ${option}\\b`))
  }
  for (const flag of ['--version', '-v']) {
    assert.deepEqual(await runCli([flag]), { code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
  }
})

test('what is no command is answered with the usage', async () => {
  await assertRefused([], 'There is no folder or file to share')
  await assertRefused(['.', 'test'], 'One folder or file can be shared, not 2')
  await assertRefused(['.', '--ports', '80'], 'Unknown option \'--ports\'')
  await assertRefused(['.', '-x'], 'Unknown option \'-x\'')
  await assertRefused(['.', '--port'], 'Option \'-p, --port <value>\' argument missing')
  await assertRefused(['.', '--host='], 'The host is empty')
})

test('what is no port is answered with the usage', async () => {
  await Promise.all(['abc', '', ' ', '65536', '70000', '1.5', '1e3', '0x50', '80abc'].map((port) => {
    return assertRefused(['.', `--port=${port}`], `'${port}' is no port: 0 to 65535`)
  }))
})

test('what cannot be shared is told', async (t) => {
  const folder = temporaryFolder(t)
  const fifo = path.join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const socket = path.join(folder, 'socket')
  const server = net.createServer().listen(socket)
  t.after(() => server.close())
  await once(server, 'listening')
  await assertRefused([path.join(folder, 'missing')], `'${folder}/missing' does not exist`)
  await assertRefused([path.join(fifo, 'below')], `'${fifo}/below' does not exist`)
  for (const other of [fifo, socket, '/dev/null']) {
    await assertRefused([other], `'${other}' is neither a folder nor a regular file`)
  }
  await assertRefused(['a\x1b[31m\nb'], '\'a\\x1b[31m\\x0ab\' does not exist')
})

test('what may not be read is told', { skip: process.getuid() === 0 && 'root may read everything' }, async (t) => {
  const { path: file } = temporaryFile(t, 'secret')
  fs.chmodSync(file, 0)
  await assertRefused([file], `'${file}' may not be read`)
})

test('a port that is taken, and an address that is not here, are told in a line', async (t) => {
  const port = await occupy(t, 0)
  const ways = [
    [['--port', String(port)], `listen EADDRINUSE: address already in use ${HOST}:${port}`],
    [['--port', '65535', '--host', '192.0.2.1'], 'listen EADDRNOTAVAIL: address not available 192.0.2.1:65535']
  ]
  for (const [options, why] of ways) {
    const { code, stdout, stderr } = await runCli(['.', ...options])
    assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: `sendfile-native: ${why}\n` })
  }
})

test('without --port it is 8080, or the next that is free', async (t) => {
  // Somebody else's server may be there already, and is as good.
  await occupy(t, 8080).catch((err) => assert.equal(err.code, 'EADDRINUSE'))
  const first = await startCli(t, '.', { options: [] })
  const second = await startCli(t, '.', { options: [] })
  assert.ok(first.port > 8080 && first.port < 8180, first.port)
  assert.ok(second.port > first.port && second.port < 8180, second.port)
  assert.equal((await second.get('/README.md')).status, 200)
})

test('it listens on the loopback address, and says where and what', async (t) => {
  const folder = temporaryFolder(t)
  const { port, output } = await startCli(t, folder)
  assert.equal(output.stdout, `Sharing ${folder}\nhttp://127.0.0.1:${port}/\n`)
  assert.equal(output.stderr, '')
  const listening = fs.readFileSync('/proc/net/tcp', 'latin1').match(/^ *\d+: [0-9A-F]{8}:[0-9A-F]{4} 00000000:0000 0A/mg)
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  assert.deepEqual(listening.filter((line) => line.includes(`:${hex} `)).map((line) => line.trim().split(' ')[1]), [`0100007F:${hex}`])
})

test('for other machines it prints every address, and warns', async (t) => {
  for (const [host, kind, shared] of [['0.0.0.0', 'folder', '.'], ['::', 'file', 'README.md']]) {
    const { port, urls, output, get } = await startCli(t, shared, { options: ['--port', '0', '--host', host] })
    assert.ok(urls.includes(`http://127.0.0.1:${port}/${kind === 'file' ? shared : ''}`))
    const addresses = Object.values(require('node:os').networkInterfaces()).flat().filter(({ family, address }) => {
      return !address.startsWith('fe80:') && (host === '::' || family === 'IPv4' || family === 4)
    })
    assert.equal(urls.length, addresses.length)
    await until(() => output.stderr.includes('\n'))
    assert.equal(output.stderr, `Whoever can reach this machine can read the ${kind}.\n`)
    assert.equal((await get('/')).status, 200)
  }
})

test('an IPv6 address is a URL', async (t) => {
  const { urls, port } = await startCli(t, '.', { options: ['--port', '0', '--host', '::1'] }).catch((err) => {
    if (/EADDRNOTAVAIL|EAFNOSUPPORT/.test(err.message)) return { urls: null }
    throw err
  })
  if (urls === null) return t.skip('there is no IPv6 here')
  assert.deepEqual(urls, [`http://[::1]:${port}/`])
})

test('the program is what the package calls by its name', () => {
  const { bin } = require('sendfile-native/package.json')
  const file = path.join(path.dirname(require.resolve('sendfile-native/package.json')), bin['sendfile-native'])
  assert.equal(fs.realpathSync(file), fs.realpathSync(PROGRAM))
  assert.ok(fs.statSync(file).mode & 0o100, 'it can be run')
  assert.ok(fs.readFileSync(file, 'latin1').startsWith('#!/usr/bin/env node\n'))
})
