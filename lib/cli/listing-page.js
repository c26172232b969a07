'use strict'

// The HTML of a listing: no scripts, nothing from elsewhere.

const { createHash } = require('node:crypto')
const escapeHtml = require('escape-html')
const { printable } = require('./printable')
const { formatBytes, formatTime } = require('./units')

const STYLE = `
:root { color-scheme: light dark; --text: #1f2328; --dim: #656d76; --line: #d8dee4; --hover: #f3f5f7; --link: #0b5cad; --page: #fff }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --dim: #98a1ab; --line: #30363d; --hover: #1c2128; --link: #7ab7ff; --page: #12151a }
}
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text); font: 16px/1.45 system-ui, sans-serif }
h1 { margin: 0 0 1rem; font-size: 1.25rem; overflow-wrap: anywhere }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
th { color: var(--dim); font-size: .85rem; font-weight: 500; text-align: left }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); vertical-align: baseline }
tbody tr:hover { background: var(--hover) }
td:first-child { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate }
th:nth-child(2), td:nth-child(2) { width: 6rem; text-align: right }
th:nth-child(3), td:nth-child(3) { width: 9.5rem; text-align: right }
td:nth-child(n+2) { color: var(--dim); font-variant-numeric: tabular-nums; white-space: nowrap }
.folder { font-weight: 600 }
.none, p { color: var(--dim) }
@media (max-width: 36rem) { th:nth-child(3), td:nth-child(3) { display: none } }
`

const HEADERS = Object.freeze({
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': 'default-src \'none\'; img-src data:; base-uri \'none\'; form-action \'none\'; ' +
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache'
})

/**
 * @param {string} title what is shared
 * @param {string[]} parts the names of the folders that lead from there to this one
 */
function pageHead (title, parts) {
  const text = escapeHtml(printable([title, ...parts, ''].join('/')))
  const crumbs = [title, ...parts].map((name, index) => {
    const shown = `${escapeHtml(printable(name))}/`
    const up = parts.length - index
    return up === 0 ? shown : `<a href="${'../'.repeat(up)}">${shown}</a>`
  })
  const parent = parts.length === 0 ? '' : '<tr><td><a class="folder" href="../">../</a></td><td></td><td></td></tr>\n'
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>${crumbs.join('<wbr>')}</h1>
<table>
<thead><tr><th>Name</th><th>Size</th><th>Modified</th></tr></thead>
<tbody>
${parent}`
}

/** @param {Entry} entry */
function pageRow ({ name, isFolder, isServed, size, modified }) {
  const slash = isFolder ? '/' : ''
  const shown = escapeHtml(printable(name)) + slash
  const kind = isFolder ? ' class="folder"' : ''
  const link = isServed
    ? `<a${kind} href="${encodeURIComponent(name)}${slash}">${shown}</a>`
    : `<span class="none">${shown}</span>`
  const bytes = isFolder || !isServed ? '' : `<data value="${size}">${formatBytes(size)}</data>`
  const time = modified === null
    ? ''
    : `<time datetime="${modified.toISOString()}">${formatTime(modified, { seconds: false })}</time>`
  return `<tr><td>${link}</td><td>${bytes}</td><td>${time}</td></tr>\n`
}

/**
 * @param {number} count of the entries
 * @param {boolean} isWhole whether these are all
 */
function pageEnd (count, isWhole) {
  const note = isWhole ? count === 0 ? '<p>There is nothing here.</p>\n' : '' : `<p>There are more than these ${count}.</p>\n`
  return `</tbody>\n</table>\n${note}</body>\n</html>\n`
}

module.exports = { HEADERS, pageEnd, pageHead, pageRow }
