'use strict'

// The code blocks of a Markdown file, and what is to be done with each. The comment on the line before a block says so:
//   <!-- test: GET /name 200 -->   it starts a server, which answers that with that status; several, with "," between
//   <!-- test: sends name -->      it starts a server, which sends that file to whoever connects
//   <!-- test: run -->             it runs, and ends with 0
//   <!-- test: not run: why -->    it cannot be run
// A block of JavaScript without one is run, too; one of a shell has to have one.

const FENCE = /^(?:<!-- test: (?<directive>.+) -->\n)?```(?<language>js|mjs|sh)\n(?<code>[^]*?)^```$/gm
const REQUEST = /^(?<method>GET|HEAD) (?<path>\S+) (?<status>\d{3})$/

/** @returns {{ line: number, language: string, code: string, requests: object[], reason: string | null }[]} */
function blocksOf (text) {
  return [...text.matchAll(FENCE)].map(({ index, groups: { directive, language, code } }) => {
    const line = text.slice(0, index).split('\n').length + (directive ? 1 : 0)
    return { line, language, code, ...planOf(directive ?? (language === 'sh' ? '' : 'run'), line) }
  })
}

function planOf (directive, line) {
  if (directive === 'run') return { requests: [], reason: null }
  const [, reason] = /^not run: (.+)$/.exec(directive) ?? []
  if (reason !== undefined) return { requests: [], reason }
  const [, file] = /^sends (\S+)$/.exec(directive) ?? []
  if (file !== undefined) return { requests: [{ file }], reason: null }
  const requests = directive.split(', ').map((part) => REQUEST.exec(part)?.groups)
  if (requests.includes(undefined)) throw new Error(`line ${line}: what is to be done with this block?`)
  return { requests: requests.map(({ status, ...request }) => ({ ...request, status: Number(status) })), reason: null }
}

module.exports = { blocksOf }
