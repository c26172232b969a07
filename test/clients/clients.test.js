'use strict'

// Other people's HTTP clients against `npx sendfile-native`: npm run test:clients
// What is not installed is skipped. CHROMIUM is the browser, if it is not /usr/bin/chromium.

/* global document -- in functions that the page runs */

const assert = require('node:assert/strict')
const { execFile, spawn, spawnSync } = require('node:child_process')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { MIB, isNative, temporaryFolder, test, until } = require('../helpers')
const { startCli } = require('../helpers/cli')
const { seek } = require('../helpers/video')
const { writeWav } = require('../browser/media')

const SIZE = 64 * MIB + 12_345
const WAV_SECONDS = 300

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'
]

/** A test that needs these commands. */
function clientTest (name, commands, run) {
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0)
  const skip = missing.length > 0 && `there is no ${missing.join(', ')}`
  test(name, { skip, timeout: 120_000 }, run)
}

const inBrowser = (name, run) => {
  const tooOld = parseInt(process.versions.node, 10) < 20 && 'playwright-core needs Node 20 or later'
  const skip = tooOld || (!fs.existsSync(executablePath) && `there is no ${executablePath}`)
  test(name, { skip, timeout: 120_000 }, run)
}

/** The program over one file of random bytes, and a folder for what arrives. */
async function shareFile (t) {
  const bytes = randomBytes(SIZE)
  const file = path.join(temporaryFolder(t), 'large.bin')
  fs.writeFileSync(file, bytes)
  return { ...await shareAndReceive(t, file), bytes }
}

async function shareAndReceive (t, shared) {
  const program = await startCli(t, shared)
  const folder = temporaryFolder(t)
  const here = (name) => path.join(folder, name)
  const call = (command, ...args) => promisify(execFile)(command, args, { cwd: folder, encoding: 'buffer', maxBuffer: 2 * SIZE })
  const has = (name, bytes) => assert.ok(fs.readFileSync(here(name)).equals(bytes), name)
  return { ...program, url: program.urls[0], folder, here, call, has }
}

/** What was sent went without being copied. */
function assertNotCopied (lines) {
  if (isNative) for (const line of lines()) assert.doesNotMatch(line, /copied/)
}

clientTest('curl takes a file, a part of it, the rest of it, and takes its name', ['curl'], async (t) => {
  const { url, bytes, here, call, has, lines } = await shareFile(t)
  await call('curl', '-sSfO', url)
  has('large.bin', bytes)

  fs.mkdirSync(here('named'))
  await call('curl', '-sSfOJ', '--output-dir', 'named', new URL('/', url).href)
  has('named/large.bin', bytes)

  fs.truncateSync(here('large.bin'), 10 * MIB + 1)
  await call('curl', '-sSf', '-C', '-', '-o', 'large.bin', url)
  has('large.bin', bytes)

  const { stdout } = await call('curl', '-sSf', '-r', '1000-1999', url)
  assert.ok(stdout.equals(bytes.subarray(1000, 2000)))

  await call('curl', '-sSf', '--limit-rate', '40M', '-o', 'slowly', url)
  has('slowly', bytes)
  assert.match(lines().at(-1), / 200 67121209 bytes in \d.*, \d+ MiB\/s/)
  assertNotCopied(lines)
})

clientTest('wget goes on with a file, and takes a folder', ['wget'], async (t) => {
  const one = await shareFile(t)
  fs.writeFileSync(one.here('large.bin'), one.bytes.subarray(0, 20 * MIB))
  await one.call('wget', '-q', '-c', one.url)
  one.has('large.bin', one.bytes)
  assert.match(await one.line(/./), / 206 /)
  assertNotCopied(one.lines)

  const shared = temporaryFolder(t)
  const files = { top: 'top', 'sub/deep/file': 'deep', 'a & <b>#?%/\u65e5\u672c.txt': 'odd', 'a & <b>#?%/"q" \'s\'': 'quoted' }
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(shared, name)), { recursive: true })
    fs.writeFileSync(path.join(shared, name), text)
  }
  const many = await shareAndReceive(t, shared)
  await many.call('wget', '-q', '-r', '-np', '-nH', '-e', 'robots=off', '--restrict-file-names=nocontrol', many.url)
  for (const [name, text] of Object.entries(files)) many.has(name, Buffer.from(text))
})

clientTest('aria2c takes a file by 16 connections, and goes on with it', ['aria2c'], async (t) => {
  const { url, bytes, here, call, has, folder, lines } = await shareFile(t)
  const options = ['-q', '-c', '-x16', '-s16', '-k1M']
  await call('aria2c', ...options, url)
  has('large.bin', bytes)
  assert.ok(lines().filter((line) => line.includes(' 206 ')).length >= 15, lines().join('\n'))

  fs.rmSync(here('large.bin'))
  const slow = spawn('aria2c', [...options, '--max-overall-download-limit=8M', url], { cwd: folder, stdio: 'ignore' })
  await until(() => fs.existsSync(here('large.bin')))
  slow.kill('SIGINT')
  await once(slow, 'exit')
  assert.ok(fs.existsSync(here('large.bin.aria2')), 'it was interrupted')
  await call('aria2c', ...options, url)
  has('large.bin', bytes)
  assertNotCopied(lines)
})

clientTest('ffmpeg seeks in a film', ['ffmpeg'], async (t) => {
  const shared = temporaryFolder(t)
  const film = path.join(shared, 'film.mp4')
  const { status, stderr } = spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=duration=240:size=640x360:rate=25',
    '-c:v', 'mpeg4', '-b:v', '2M', '-g', '50', film], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const { url, call, lines } = await shareAndReceive(t, film)
  for (const place of ['200', '10', '100.5']) {
    const frame = async (input) => (await call('ffmpeg', '-v', 'error', '-ss', place, '-i', input, '-frames:v', '1', '-f', 'rawvideo', '-')).stdout
    const [remote, local] = [await frame(url), await frame(film)]
    assert.equal(local.length, 640 * 360 * 1.5)
    assert.ok(remote.equals(local), place)
  }
  assert.ok(lines().filter((line) => line.includes(' 206 ')).length > 3)
  assertNotCopied(lines)
})

/** A browser's page, and what went wrong on it. */
async function openPage (t) {
  const { chromium } = require('playwright-core')
  const browser = await chromium.launch({ executablePath, headless: true, args })
  t.after(() => browser.close())
  const page = await browser.newPage()
  const complaints = []
  page.on('console', (message) => {
    // Pages that are not ours, such as a text, have no icon of their own.
    if (!message.location().url.endsWith('/favicon.ico')) complaints.push(message.text())
  })
  page.on('pageerror', (err) => complaints.push(err.message))
  return { page, complaints }
}

inBrowser('Chromium shows a listing, goes through folders, and downloads', async (t) => {
  const shared = temporaryFolder(t)
  const odd = 'a & <b>#?%"\'\n'
  const bytes = randomBytes(SIZE)
  fs.mkdirSync(path.join(shared, odd))
  fs.writeFileSync(path.join(shared, odd, 'inside <i>.txt'), 'odd')
  fs.writeFileSync(path.join(shared, 'large.bin'), bytes)
  const { urls, lines } = await startCli(t, shared)
  const { page, complaints } = await openPage(t)
  await page.goto(urls[0])
  assert.equal(await page.title(), `${path.basename(shared)}/`)
  assert.deepEqual(await page.locator('td:first-child').allTextContents(), ['a & <b>#?%"\'\\x0a/', 'large.bin'])
  // The style is applied, in spite of the policy that forbids any other.
  assert.equal(await page.evaluate(() => globalThis.getComputedStyle(document.querySelector('table')).tableLayout), 'fixed')

  await page.getByText('a & <b>').click()
  assert.deepEqual(await page.locator('td:first-child').allTextContents(), ['../', 'inside <i>.txt'])
  await page.getByText('inside <i>').click()
  assert.equal(await page.evaluate(() => document.body.textContent), 'odd')
  await page.goBack()
  await page.getByText('../').click()

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('large.bin').click()])
  assert.equal(download.suggestedFilename(), 'large.bin')
  assert.ok(fs.readFileSync(await download.path()).equals(bytes))
  assert.deepEqual(complaints, [])
  assertNotCopied(lines)
})

inBrowser('Chromium plays a file, and seeks in it', async (t) => {
  const file = path.join(temporaryFolder(t), 'tone.wav')
  writeWav(file, WAV_SECONDS)
  const { urls, lines } = await startCli(t, file)
  const { page, complaints } = await openPage(t)
  await page.goto(urls[0])
  for (const part of [0.9, 0.1, 0.5]) {
    const { reached, played, error } = await seek(page, part * WAV_SECONDS)
    assert.equal(error, undefined)
    assert.ok(Math.abs(reached - part * WAV_SECONDS) < 1 && played > reached, `${reached} ${played}`)
  }
  assert.ok(lines().some((line) => line.includes(' 206 ')))
  assert.deepEqual(complaints, [])
  assertNotCopied(lines)
})
