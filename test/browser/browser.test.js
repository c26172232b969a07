'use strict'

// Chromium against examples/ run with `--require sendfile-native/register`: npm run test:browser
// CHROMIUM is the browser, if it is not /usr/bin/chromium.

/* global document, self -- in functions that the page runs */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { MIB, digest, isNative, temporaryFolder, test, until } = require('../helpers')
const { startExample } = require('../helpers/example')
const { seek } = require('../helpers/video')
const { writeSparse, writeWav } = require('./media')

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'
]

const WAV_SECONDS = 1190 // 200 MiB
const DOWNLOAD_BYTES = 1024 * MIB + 12_345

function reasonToSkip () {
  if (parseInt(process.versions.node, 10) < 20) return 'playwright-core needs Node 20 or later'
  return !fs.existsSync(executablePath) && `there is no ${executablePath}`
}

const options = { skip: reasonToSkip(), timeout: 300_000 }

/** A tab on the page of a file. */
async function openPage (t, port, file) {
  const { chromium } = require('playwright-core')
  const browser = await chromium.launch({ executablePath, headless: true, args })
  t.after(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${port}/video.html?file=${file}`)
  return { browser, page }
}

/** All that was sent was sent natively, and it was that much at least. */
function assertNative ({ code, native, copied, disabled, stderr }, atLeast) {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  if (!isNative) {
    assert.equal(disabled, 'disabled')
    return
  }
  assert.equal(copied.bytes, 0)
  assert.ok(native.bytes >= atLeast, `${native.bytes} bytes went natively`)
}

for (const name of ['express.js', 'plain.js']) {
  test(`a page of examples/${name} plays a file of 200 MB and seeks to ten places`, options, async (t) => {
    const folder = temporaryFolder(t)
    const size = writeWav(path.join(folder, 'tone.wav'), WAV_SECONDS)
    assert.ok(size > 200e6)
    const server = await startExample(t, `examples/${name}`, folder)
    const { browser, page } = await openPage(t, server.port, 'tone.wav')

    const ranges = []
    page.on('response', (response) => {
      if (response.url().endsWith('.wav')) ranges.push([response.status(), response.headers()['content-range']])
    })
    const duration = await page.evaluate(async () => {
      const video = document.querySelector('video')
      await video.play()
      return video.duration
    })
    assert.ok(Math.abs(duration - WAV_SECONDS) < 1, `it lasts ${duration} s`)
    for (const part of [0.5, 0.9, 0.1, 0.7, 0.3, 0.99, 0.2, 0.8, 0.4, 0.6]) {
      const place = Math.floor(part * WAV_SECONDS)
      const { reached, played, error } = await seek(page, place)
      assert.equal(error, undefined)
      assert.ok(Math.abs(reached - place) < 1, `it is at ${reached} s of ${place}`)
      assert.ok(played > reached, 'and goes on')
    }
    assert.ok(ranges.some(([status, range]) => status === 206 && !range.startsWith('bytes 0-')), 'by ranges')
    assert.equal(await page.textContent('#state'), `at ${Math.floor(0.6 * WAV_SECONDS).toFixed(1)} s`)

    await browser.close()
    await until(() => server.held().length === 0)
    assertNative(await server.end(), 10 * MIB)
  })
}

test('a download of 1 GB arrives as it is', options, async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'large.bin')
  writeSparse(file, DOWNLOAD_BYTES)
  const server = await startExample(t, 'examples/express.js', folder)
  const { browser, page } = await openPage(t, server.port, '')

  const [download] = await Promise.all([page.waitForEvent('download'), page.evaluate(() => {
    const link = document.createElement('a')
    link.href = '/large.bin'
    link.download = ''
    link.click()
  })])
  assert.equal(await download.failure(), null)
  const arrived = await digest(fs.createReadStream(await download.path()))
  assert.deepEqual(arrived, await digest(fs.createReadStream(file)))

  await until(() => server.held().length === 0)
  await browser.close()
  assertNative(await server.end(), DOWNLOAD_BYTES)
})

for (const name of ['express.js', 'plain.js']) {
  test(`examples/${name}: closing a tab half-way leaves no descriptor`, options, async (t) => {
    const folder = temporaryFolder(t)
    writeSparse(path.join(folder, 'large.bin'), DOWNLOAD_BYTES)
    writeWav(path.join(folder, 'tone.wav'), WAV_SECONDS)
    const server = await startExample(t, `examples/${name}`, folder)
    const { page } = await openPage(t, server.port, 'tone.wav')
    await page.evaluate(async () => {
      await document.querySelector('video').play()
      // eslint-disable-next-line n/no-unsupported-features/node-builtins -- the browser's
      const { body } = await self.fetch('/large.bin')
      self.reader = body.getReader()
      await self.reader.read()
    })
    const files = () => new Set(server.held().map((target) => path.basename(target)))
    await until(() => files().has('large.bin'))

    await page.close()
    await until(() => files().size === 0)
    assertNative(await server.end(), MIB)
  })
}
