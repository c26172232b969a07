'use strict'

// The part of README.md that `npm run bench -- --write` writes: between two comments, which stay.

const BEGIN = '<!-- benchmark -->'
const END = '<!-- /benchmark -->'

/**
 * @param {string} text of README.md
 * @param {string} summary Markdown
 * @param {Record<string, string>} titles of the charts in docs/charts, by name
 */
function insert (text, summary, titles) {
  const [begin, end] = [BEGIN, END].map((mark) => text.indexOf(mark))
  if (begin === -1 || end < begin) throw new Error(`README.md has no ${BEGIN} and ${END}`)
  const images = Object.entries(titles).map(([name, title]) => `![${title}](docs/charts/${name}.svg)`)
  const written = [summary, ...images].join('\n\n')
  return `${text.slice(0, begin + BEGIN.length)}\n\n${written}\n\n${text.slice(end)}`
}

module.exports = { insert }
