'use strict'

// docs/api.md names everything that the package has.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { PassThrough } = require('node:stream')
const { root, test } = require('./helpers')

const { stats, transferFile } = require('sendfile-native')
const { unregister } = require('sendfile-native/register')
const { serveFile, serveStatic } = require('sendfile-native/static')
unregister() // requiring it has registered

const read = (name) => fs.readFileSync(path.join(root, name), 'utf8')
const api = read('docs/api.md')

/** A part of it: from a heading to the next of the same level, or of a higher one. */
function section (title) {
  const lines = api.split('\n')
  const begin = lines.findIndex((line) => /^##+ /.test(line) && line.replace(/^#+ /, '') === title)
  assert.notEqual(begin, -1, `no section ${title}`)
  const level = lines[begin].indexOf(' ')
  const rest = lines.slice(begin + 1)
  const end = rest.findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return rest.slice(0, end === -1 ? undefined : end).join('\n')
}

/** The names in the first column of the tables of a part, each in backquotes. */
function firstColumn (text) {
  const cells = [...text.matchAll(/^\| ([^|]*) \|/gm)].map(([, cell]) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`'?([^`']+)'?`/g)].map(([, name]) => name))
}

function sources (folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`
    return entry.isDirectory() ? sources(name) : [name]
  })
}

function assertNames (text, names, what) {
  assert.ok(names.length > 0, `no ${what} found`)
  assert.deepEqual(names.filter((name) => !text.includes(name)), [], `${what} that docs/api.md does not name`)
}

const { exports: entries } = require('sendfile-native/package.json')
for (const entry of Object.keys(entries).filter((entry) => entry !== './package.json')) {
  const name = path.posix.join('sendfile-native', entry)

  test(`each export of ${name} has a section`, () => {
    const exported = Object.keys(require(name))
    const headings = [...section(name).matchAll(/^### (?:Class: |promises\.)?(\w+)/gm)].map(([, heading]) => heading)
    assert.deepEqual([...new Set(headings)].sort(), exported.sort())
  })

  test(`each type of ${name} is named, and no other`, () => {
    const types = [...read(entries[entry].types).matchAll(/^export (?:type|interface) (\w+)/gm)].map(([, type]) => type)
    const [, row = ''] = section('Types').split(`\n| \`${name}\` | `)
    assert.deepEqual([...row.split('\n')[0].matchAll(/`(\w+)`/g)].map(([, type]) => type).sort(), types.sort())
  })
}

test('each section of an export has an example', () => {
  for (const [, title] of api.matchAll(/^### (.+)$/gm)) {
    if (['System errors', 'Error codes'].includes(title)) continue
    assert.match(section(title), /^```js$/m, title)
  }
})

test('each error code that the package makes is in the table', () => {
  const made = /(?:withCode\(\w+,\s*|\bcode(?: =|:) )'([A-Z][A-Z0-9_]+)'|\b(ERR_SENDFILE_[A-Z_]+)/g
  const codes = [...sources('lib'), ...sources('src')].flatMap((file) => {
    return [...read(file).matchAll(made)].map(([, code, own]) => code ?? own)
  })
  assert.ok(codes.includes('ERR_SENDFILE_TRUNCATED') && codes.includes('ABORT_ERR'))
  const documented = firstColumn(section('Error codes'))
  assert.deepEqual([...new Set(codes)].filter((code) => !documented.includes(code)), [])
})

test('each reason is told', () => {
  const names = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name).sort()
  const [, union] = /^export type CopyReason =\n([^]*?)\n\n/m.exec(read('index.d.ts'))
  const ofTransfers = names(union, /'([^']+)'/g)
  const ofStreams = names(read('register.d.ts'), /^ \* - `'([^']+)'`/gm)
  assert.deepEqual(firstColumn(section('Reasons')).sort(), ofTransfers)
  assert.deepEqual(names(read('docs/register.md'), /^\| `([a-z0-9-]+)` \|/gm), ofStreams)
  assertNames(section('Reasons'), ofStreams, 'reasons')
  const given = ['eligibility', 'pipe-destination', 'region-read'].flatMap((file) => {
    return names(read(`lib/${file}.js`), /(?:return|[?:]) '([^']+)'/g)
  })
  // 'drain' is none: the stream waits.
  const known = new Set([...ofTransfers, ...ofStreams, 'drain'])
  assert.deepEqual(given.filter((name) => !known.has(name)), [])
  assert.ok(given.includes('tls') && given.includes('corked') && given.includes('consumer'))
})

test('each key of stats() is in its table', () => {
  const keys = Object.entries(stats()).flatMap(([name, value]) => {
    if (name === 'fallbacks') return ['fallbacks[reason]']
    return typeof value === 'number' ? [name] : Object.keys(value).map((key) => `${name}.${key}`)
  })
  assert.deepEqual(firstColumn(section('stats()')).sort(), keys.sort())
})

test('each option is named', async () => {
  const optionsOf = (err) => /there are ([\w, ]+)/.exec(err.message)[1].split(', ')
  const thrown = (call) => {
    try {
      return call()
    } catch (err) {
      return err
    }
  }
  const message = { headers: {}, writeHead () {} }
  const options = { nothing: true }
  const optionsIn = (title) => /^- `options`[^]*?^- Returns/m.exec(section(title))[0]
  const described = (text) => [...text.matchAll(/^ {2}- `(\w+)` \{/gm)].map(([, name]) => name)
  const ofTransfer = optionsOf(await transferFile(new PassThrough(), 'file', options).catch((err) => err))
  assert.deepEqual(described(optionsIn('transferFile(destination, file[, options])')).sort(), ofTransfer.sort())
  const ofStatic = optionsOf(thrown(() => serveStatic('public', options)))
  assert.deepEqual(described(optionsIn('serveStatic(root[, options])')).sort(), ofStatic.sort())
  const ofFile = optionsOf(await serveFile(message, message, 'file', options).catch((err) => err))
  const text = optionsIn('serveFile(req, res, path[, options])')
  const shared = [...text.slice(0, text.indexOf('serveStatic')).matchAll(/`(\w+)`/g)].map(([, name]) => name)
  assert.deepEqual([...shared, ...described(text)].sort(), [...ofFile, 'options'].sort())
})

test('each field of what the channels publish is named', async (t) => {
  const diagnostics = require('node:diagnostics_channel')
  const fields = new Set()
  const note = (message) => { for (const field of Object.keys(message)) fields.add(field) }
  const channels = ['start', 'end', 'error'].map((name) => `sendfile-native:${name}`)
  for (const channel of channels) {
    diagnostics.subscribe(channel, note)
    t.after(() => diagnostics.unsubscribe(channel, note))
  }
  await transferFile(new PassThrough().resume(), __filename)
  await assert.rejects(transferFile(new PassThrough(), path.join(__dirname, 'missing')), { code: 'ENOENT' })
  const text = section('Diagnostics channels')
  assertNames(text, channels, 'channels')
  assert.deepEqual(firstColumn(text).sort(), [...fields].sort())
})

test('each environment variable that is read is named', () => {
  const variable = /(?:process\.env\.|env::var\(")(SENDFILE_[A-Z_]+)/g
  const variables = [...sources('lib'), ...sources('src')].flatMap((file) => {
    return [...read(file).matchAll(variable)].map(([, name]) => name)
  })
  assert.deepEqual(firstColumn(section('Environment variables')).sort(), [...new Set(variables)].sort())
})
