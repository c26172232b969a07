'use strict'

// npm run test:docs: every code block of README.md and docs/, as a reader would run it. A line of each; the exit code
// is 1 when one does other than it should.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { blocksOf } = require('./blocks')
const { runBlock } = require('./run-block')

const root = path.join(__dirname, '..', '..')

/** A project of a reader's: the package, whatever the blocks require, and some files to serve. */
function project () {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendfile-native-docs-'))
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(modules)
  for (const name of fs.readdirSync(path.join(root, 'node_modules'))) {
    if (!name.startsWith('.')) fs.symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  }
  fs.symlinkSync(root, path.join(modules, 'sendfile-native'))
  fs.cpSync(path.join(root, 'README.md'), path.join(folder, 'README.md'))
  fs.mkdirSync(path.join(folder, 'public', 'docs'), { recursive: true })
  fs.mkdirSync(path.join(folder, 'private'))
  fs.mkdirSync(path.join(folder, '.next', 'static', 'chunks'), { recursive: true })
  fs.writeFileSync(path.join(folder, 'public', 'index.html'), '<!doctype html>')
  fs.writeFileSync(path.join(folder, 'public', 'file.txt'), 'a file\n')
  fs.writeFileSync(path.join(folder, 'public', 'docs', 'index.html'), '<!doctype html>')
  fs.writeFileSync(path.join(folder, 'private', 'report.pdf'), '%PDF')
  fs.writeFileSync(path.join(folder, '.next', 'static', 'chunks', 'app-0a1b2c.js'), '// app\n')
  return folder
}

async function main () {
  const folder = project()
  const counts = { run: 0, wrong: 0, 'not run': 0 }
  for (const name of ['README.md', ...fs.readdirSync(path.join(root, 'docs')).sort().map((file) => `docs/${file}`)]) {
    if (!name.endsWith('.md')) continue
    for (const block of blocksOf(fs.readFileSync(path.join(root, name), 'utf8'))) {
      const place = `${name}:${block.line}`
      if (block.reason !== null) {
        counts['not run']++
        console.log(`${place}: not run: ${block.reason}`)
        continue
      }
      const complaint = await runBlock(block, folder)
      counts.run++
      if (complaint !== null) counts.wrong++
      console.log(`${place}: ${complaint ?? 'as it says'}`)
    }
  }
  fs.rmSync(folder, { recursive: true })
  console.log(Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(', '))
  process.exitCode = counts.wrong === 0 && counts.run > 0 ? 0 : 1
}

main()
