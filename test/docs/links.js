'use strict'

// The links of a Markdown file that lead to a file of this project, or to a heading.

const fs = require('node:fs')
const path = require('node:path')

const FENCE = /^```[^]*?^```$/gm
const CODE = /`[^`\n]+`/g
const LINK = /\]\((?<target>[^()\s]+)\)/g
const HEADING = /^#{1,6} (?<title>.+)$/gm

/** What leads nowhere, each as `target`. */
function deadLinks (file) {
  const text = fs.readFileSync(file, 'utf8').replace(FENCE, '').replace(CODE, '')
  const targets = [...text.matchAll(LINK)].map(({ groups }) => groups.target)
  return targets.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target))
}

function leadsSomewhere (file, target) {
  const [name, anchor] = target.split('#')
  const found = name === '' ? file : path.join(path.dirname(file), name)
  if (!fs.existsSync(found)) return false
  return anchor === undefined || (found.endsWith('.md') && anchorsOf(found).has(anchor))
}

/** As GitHub makes them. */
function anchorsOf (file) {
  const anchors = new Set()
  const text = fs.readFileSync(file, 'utf8').replace(FENCE, '')
  for (const { groups: { title } } of text.matchAll(HEADING)) {
    const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = plain.replace(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

module.exports = { deadLinks }
