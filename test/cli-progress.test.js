'use strict'

const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const path = require('node:path')
const { MIB, root, temporaryFolder, test, until } = require('./helpers')
const { HOST, PROGRAM, startCli } = require('./helpers/cli')
const { Screen } = require('./helpers/screen')
const { writeSparse } = require('./browser/media')
const { progressLine } = require('../lib/cli/progress-line')
const { RateMeter } = require('../lib/cli/rate-meter')

const TERMINAL = path.join(root, 'test', 'fixtures', 'terminal.py')
const LARGE = 256 * MIB

const skip = spawnSync('python3', ['-c', 'import pty']).status !== 0 && 'a pseudo terminal needs python3'

/** The program over a file of that size, in a terminal. */
async function startInTerminal (t, { columns = 100, rows = 24, env = {} } = {}) {
  const file = path.join(temporaryFolder(t), 'large')
  writeSparse(file, LARGE)
  const child = spawn('python3', [TERMINAL, String(columns), String(rows), process.execPath, PROGRAM, file, '--port', '0'], {
    env: { ...process.env, TERM: 'xterm', ...env }
  })
  t.after(() => child.kill('SIGKILL'))
  const screen = new Screen(columns)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    screen.write(text)
  })
  await until(() => /http:\S+large/.test(output))
  const port = Number(/:(\d+)\/large/.exec(output)[1])
  /** A download that has begun, and stands still. */
  const begin = async (headers) => {
    const request = http.get({ port, host: HOST, path: '/large', headers })
    t.after(() => request.destroy())
    const [response] = await once(request, 'response')
    await once(response, 'readable')
    return response
  }
  const resize = (columns, rows) => {
    screen.resize(columns)
    child.stdin.write(`${columns} ${rows}\n`)
  }
  const bars = () => screen.rows.filter((row) => /^127\.0\.0\.1 .*\d %/.test(row))
  const log = () => screen.rows.filter((row) => /^\d{4}-/.test(row))
  return { child, screen, begin, resize, bars, log, output: () => output }
}

test('a terminal shows a line for each download, below those of the answers', { skip }, async (t) => {
  const { child, screen, begin, bars, log } = await startInTerminal(t)
  const first = await begin()
  await until(() => bars().length === 1)
  assert.match(bars()[0], /^127\.0\.0\.1 \[#*\.+\] +\d+ % {2}\d[\d.]* [KM]iB of 256 MiB {2}\d[\d.]* ([KMG]i)?B\/s {2}[-\d]+:[-\d:]+$/)
  const second = await begin({ range: `bytes=0-${128 * MIB - 1}` })
  await until(() => bars().length === 2)
  assert.match(bars()[1], /of 128 MiB/)

  second.resume()
  await once(second, 'end')
  await until(() => bars().length === 1 && log().length === 1)
  assert.match(log()[0], / 206 134217728 bytes in /)
  assert.ok(screen.rows.indexOf(log()[0]) < screen.rows.indexOf(bars()[0]))

  first.destroy()
  await until(() => bars().length === 0 && log().length === 2)
  assert.match(log()[1], /aborted/)
  child.stdin.write('\x03\n') // Ctrl-C
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.deepEqual(screen.rows.slice(2).map((row) => row.slice(0, 4)).filter((row) => /^127/.test(row)), [])
})

test('a bar moves as its download does', { skip }, async (t) => {
  const { begin, bars } = await startInTerminal(t)
  const response = await begin()
  await until(() => bars().length === 1)
  const percent = () => Number(/(\d+) %/.exec(bars()[0] ?? '0 %')[1]) // between two drawings there is none
  const before = percent()
  for (let taken = 0; taken < LARGE / 2;) {
    const chunk = response.read()
    if (chunk === null) await once(response, 'readable')
    else taken += chunk.length
  }
  assert.ok(before < 50, `${before} %`)
  await until(() => percent() >= 50)
  assert.ok(percent() < 100)
})

test('lines fit into the terminal, also when it becomes narrower', { skip }, async (t) => {
  const { screen, begin, resize, bars, output } = await startInTerminal(t, { columns: 120, rows: 10 })
  const responses = []
  for (let i = 0; i < 12; i++) responses.push(await begin())
  await until(() => bars().length === 7)
  const widest = Math.max(...bars().map((row) => row.length))
  assert.ok(widest > 60 && widest < 120, widest)
  await until(() => screen.rows.includes('and 5 more'))

  resize(40, 30)
  await until(() => bars().length === 9 && screen.rows.includes('and 3 more'))
  for (const row of bars()) assert.ok(row.length < 40, row)
  assert.equal(screen.rows.filter((row) => row.startsWith('127.')).length, 9, 'nothing is left of the wide lines')
  assert.ok(!output().includes('undefined') && !output().includes('NaN'))
})

test('Ctrl-C during a download leaves no bar', { skip }, async (t) => {
  const { child, screen, begin, bars } = await startInTerminal(t)
  await begin()
  await until(() => bars().length === 1)
  child.stdin.write('\x03\n')
  await until(() => screen.text.includes('Waiting for 1 under way'))
  child.stdin.write('\x03\n')
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.deepEqual(bars(), [])
})

test('there are no bars where there is no terminal, or one without a cursor to move', { skip }, async (t) => {
  const { begin, log, output } = await startInTerminal(t, { env: { TERM: 'dumb' } })
  const response = await begin()
  response.resume()
  await once(response, 'end')
  await until(() => log().length === 1)
  assert.ok(!/ %|\x1b/.test(output()), output()) // eslint-disable-line no-control-regex -- there are none

  const file = path.join(temporaryFolder(t), 'large')
  writeSparse(file, LARGE)
  const { ask, line, output: piped } = await startCli(t, file)
  const again = (await ask('/large')).resume()
  await once(again, 'end')
  await line(/GET/)
  assert.equal(piped.stderr, '')
})

test('a line of progress is never wider than it may be', () => {
  const download = { client: 'fe80::1234:5678:9abc:def0', bytes: 5e9, total: 1e10, rate: 1e8 }
  assert.equal(progressLine(download, 100),
    'fe80::1234:5678:9abc:def0 [###############...............]  50 %  4.7 GiB of 9.3 GiB  95 MiB/s  0:50')
  for (let columns = 1; columns < 200; columns++) assert.ok(progressLine(download, columns).length <= columns, columns)
  for (const bytes of [0, 1, 1e10, 2e10]) assert.ok(!/NaN|Infinity/.test(progressLine({ ...download, bytes, rate: 0 }, 80)))
  assert.match(progressLine({ ...download, bytes: 0, total: 0 }, 80), / 100 %/)
})

test('the rate is that of the last seconds', () => {
  const meter = new RateMeter()
  assert.equal(meter.sample(0, 0), 0)
  for (let now = 100; now <= 10_000; now += 100) assert.ok(Math.abs(meter.sample(now, now) - 1000) < 1)
  for (let now = 10_100; now <= 14_000; now += 100) meter.sample(10_000, now)
  assert.equal(meter.sample(10_000, 14_100), 0)
})
