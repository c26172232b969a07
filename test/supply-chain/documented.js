'use strict'

// docs/dependencies.md: why each dependency is there, by hand, and lists of all that come with them, by `--write`.

/** @returns {Map<string, string>} names of the first column, and the reasons of the last */
function reasonsOf (text, heading) {
  const section = text.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter((line) => /^\| \[/.test(line)).map((line) => line.split('|').map((cell) => cell.trim()))
  return new Map(rows.map((cells) => [/^\[([^\]]+)\]/.exec(cells[1])[1], cells.at(-2)]))
}

/** What does not agree between a section and the dependencies that it should explain. */
function disagreements (text, heading, names) {
  const reasons = reasonsOf(text, heading)
  return [
    ...names.filter((name) => !reasons.get(name)).map((name) => `${name} has no reason`),
    ...[...reasons.keys()].filter((name) => !names.includes(name)).map((name) => `${name} is no dependency`)
  ]
}

function list (packages) {
  const rows = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`)
  return ['| | version | licence |', '| --- | --- | --- |', ...rows].join('\n')
}

/** The text with its lists as they should be: between a comment that names each and the next heading. */
function written (text, lists) {
  return Object.entries(lists).reduce((text, [name, packages]) => {
    const place = new RegExp(`(<!-- ${name} -->\\n\\n)(?:\\|.*\\n)*\\n*`)
    if (!place.test(text)) throw new Error(`docs/dependencies.md has no place for ${name}`)
    return text.replace(place, (_, comment) => `${comment}${list(packages)}\n\n`)
  }, text)
}

module.exports = { disagreements, written }
