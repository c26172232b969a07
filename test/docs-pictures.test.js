'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { FOLDER, draw, names } = require('../scripts/pictures')
const { root, test } = require('./helpers')

const DOCUMENT = path.join(root, 'docs', 'design.md')

/** The pictures that a text shows: their names, and what is said in their place. */
function shownIn (text) {
  return [...text.matchAll(/!\[([^\]]*)\]\(pictures\/([^)]+)\.svg\)/g)].map(([, alt, name]) => ({ alt, name }))
}

test('each picture is what its source gives', async () => {
  assert.ok(names().length > 0)
  const drawn = fs.readdirSync(FOLDER).filter((file) => file.endsWith('.svg')).map((file) => path.parse(file).name)
  assert.deepEqual(drawn.sort(), names())
  for (const name of names()) {
    const [source, picture] = ['dot', 'svg'].map((type) => fs.readFileSync(path.join(FOLDER, `${name}.${type}`), 'utf8'))
    assert.equal(picture, await draw(source), `docs/pictures/${name}.svg: npm run docs:pictures`)
  }
})

test('docs/design.md shows each picture once, says it in words, and shows no other', () => {
  const shown = shownIn(fs.readFileSync(DOCUMENT, 'utf8'))
  assert.deepEqual(shown.map(({ name }) => name).sort(), names())
  for (const { alt, name } of shown) assert.ok(alt.length > 40, `${name} in words`)
})

test('each file and function that a picture names is there', () => {
  const sources = new Map(['lib', 'src'].flatMap((folder) => filesOf(path.join(root, folder))).map((file) => (
    [path.basename(file), fs.readFileSync(file, 'utf8')])))
  for (const name of names()) {
    const texts = labelsOf(fs.readFileSync(path.join(FOLDER, `${name}.dot`), 'utf8'))
    const files = texts.flatMap((text) => text.match(/[\w-]+\.(?:js|rs)\b/g) ?? [])
    assert.ok(files.length > 0, name)
    for (const file of files) assert.ok(sources.has(file), `${name}: ${file}`)
    const all = [...sources.values()].join('\n')
    for (const [, owner, member] of texts.join('\n').matchAll(/\b([A-Z]\w+)(?:::|\.)(\w+)/g)) {
      assert.ok(hasMember(all, owner, member), `${name}: ${owner} has no ${member}`)
    }
  }
})

test('a source that Graphviz has to warn of is an error', async () => {
  await assert.rejects(draw('digraph { a [fontname="No such font"] }'), /No such font/)
  await assert.rejects(draw('digraph {'), /syntax error/)
})

function filesOf (folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (
    entry.isDirectory() ? filesOf(path.join(folder, entry.name)) : [path.join(folder, entry.name)]))
}

function labelsOf (source) {
  return [...source.matchAll(/label=(?:"((?:\\.|[^"\\])*)"|<(.*?)>\])/gs)].map(([, text, html]) => text ?? html.replace(/<[^>]*>/g, ' '))
}

/** Whether a class or type of that name is there, and something that is called so. */
function hasMember (sources, owner, member) {
  const isOwner = new RegExp(`\\b(?:class|struct|enum|impl) ${owner}\\b`).test(sources)
  return isOwner && new RegExp(`(?:fn ${member}\\b|^ {2}${member} \\()`, 'm').test(sources)
}
