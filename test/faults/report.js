'use strict'

// docs/faults.md: what became of each cell.

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../helpers')

const WAYS = { static: 'serveStatic', transfer: 'transferFile(res)', stream: 'register, chunked', length: 'register, Content-Length', raw: 'transferFile(socket)' }

const BEGINNING = `# What becomes of a request when a system call fails

\`npm run faults\` writes this file. strace(1) makes system calls of a server fail, each with each errno that it may
give, at the first, the second and the fourth call of a thread, and at each (\`1+\`), while other clients are served, and
two stand still in the middle of a file. Every byte that arrives is compared with the file. In each cell:

- the client of the struck request has the whole file, or an answer that says that there is none (4xx, 5xx), or a
  connection that breaks off before what was promised (\`early\`): never a wrong byte, never one too many, never a clean
  end of a short body;
- the program is told so, with the errno, its code and the call, and how many bytes were sent;
- the next request on the same connection is answered, as are all others;
- the process lives, no descriptor is left open, and no transfer is under way.

Where a call can be done without, or repeated, nothing may show at all. "Not reached": the request makes no such call, or
not so many. All cells are run once more as a user who neither owns the files nor may write them, by the same rules; the
tables are those of who owns them.
`

const END = `
## What is not covered

- Calls of Node's own thread that Node makes, too: \`epoll_ctl\`, \`accept4\`, \`read\`, \`writev\`: libuv ends the process
  when some of them fail.
- \`close\`: a call that strace makes fail is not made, and would leave its descriptor open. Linux closes it whatever
  it answers.
- \`cachestat\` at its second or a later call: strace knows the call only since 6.5. seccomp refuses it from the
  beginning.
- \`mmap\`, and memory in general, call by call: V8 and Rust end the process when they are refused memory. Limits of it
  are above; a thread that is refused is \`clone3\`.
- \`shutdown\`, \`setsockopt\`, \`ioctl\`, \`lseek\`, \`getsockopt\`: their failures change nothing that is sent, or are
  ignored on purpose.
- Other architectures than the one that this was run on, and TLS, HTTP/2 and other destinations that are copied to.
`

function writeReport (rows, conditions) {
  const parts = [BEGINNING]
  for (const title of new Set(rows.map((row) => row.title).filter((title) => !title.includes(', as ')))) {
    parts.push(table(title, rows.filter((row) => row.title === title)))
  }
  parts.push('\n## Limits, kernels and containers\n\n| condition | user | what becomes of requests |\n| --- | --- | --- |\n')
  for (const { title, user, text } of conditions) parts.push(`| ${title} | ${user} | ${text} |\n`)
  parts.push(END)
  fs.writeFileSync(path.join(root, 'docs', 'faults.md'), parts.join(''))
}

/** Of one system call: a line for each errno, a column for each way that a file leaves. */
function table (title, rows) {
  const ways = Object.keys(WAYS).filter((way) => rows.some((row) => row.way === way))
  const lines = [`\n## ${title}\n`, `| errno | ${ways.map((way) => WAYS[way]).join(' | ')} |`, `| --- |${' --- |'.repeat(ways.length)}`]
  for (const errno of new Set(rows.map((row) => row.errno))) {
    const cells = ways.map((way) => outcomes(rows.filter((row) => row.errno === errno && row.way === way)))
    lines.push(`| ${errno} | ${cells.join(' | ')} |`)
  }
  return `${lines.join('\n')}\n`
}

/** What the calls came to, those with the same outcomes together. */
function outcomes (rows) {
  const whens = new Map()
  for (const { when, way, text } of rows) {
    // Whether the stream or the response tells of it depends on which of them is first to end.
    const told = text.startsWith('early') && (way === 'stream' || way === 'length') ? 'early' : text
    whens.set(when, (whens.get(when) ?? new Set()).add(told))
  }
  // How many calls a request makes depends on how fast its client reads.
  for (const texts of whens.values()) if (texts.size > 1) texts.delete('not reached')
  const byText = new Map()
  for (const [when, texts] of whens) {
    const text = [...texts].sort().join(' / ')
    byText.set(text, [...byText.get(text) ?? [], when])
  }
  if (byText.size === 1) return [...byText.keys()][0]
  return [...byText].map(([text, calls]) => `${calls.join(', ')}: ${text}`).join('<br>')
}

module.exports = { writeReport }
