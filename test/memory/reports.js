'use strict'

// What the tools wrote, as `{ what, leaked, frames: [{ module, text }], location }`, whichever wrote it.

const { XMLParser } = require('fast-xml-parser')

const LISTS = new Set(['error', 'stack', 'frame', 'auxwhat'])

/** A frame as the sanitizers are told to print it: address, function, place, and the file that it was loaded from. */
const FRAME = /^\s+#\d+ 0x[0-9a-f]+ in (.+) \(([^()]*)\)$/

/** How they are told. */
const FRAME_FORMAT = `stack_trace_format='    #%n %p in %f %S (%m)'`

function ofValgrind (xml) {
  const parser = new XMLParser({ isArray: (name) => LISTS.has(name), parseTagValue: false })
  const { error = [] } = parser.parse(xml).valgrindoutput
  return error.map(({ kind, what, xwhat, stack }) => ({
    what: `${kind}: ${what ?? xwhat.text}`,
    leaked: Number(xwhat?.leakedbytes ?? 0),
    frames: stack.flatMap(({ frame }) => frame).map(({ fn = '?', obj = '', file = '', line = '' }) => {
      return { module: obj, text: `${fn} ${file}:${line}` }
    }),
    location: ''
  }))
}

function ofSanitizer (log) {
  // Reports are between rules; each leak of one is a paragraph of its own.
  return log.split(/^={10,}$/m).flatMap((report) => {
    const leaks = report.split('\n\n').filter((paragraph) => /^(Direct|Indirect) leak of /m.test(paragraph))
    if (leaks.length > 0) return leaks.map(ofText)
    return /\b(ERROR|WARNING): \w+Sanitizer:/.test(report) ? [ofText(report)] : []
  })
}

function ofText (text) {
  const lines = text.trim().split('\n')
  const what = lines.find((line) => /leak of |Sanitizer: /.test(line)).trim()
  const frames = lines.map((line) => FRAME.exec(line)).filter((match) => match !== null)
  return {
    what,
    leaked: Number(/leak of (\d+) byte/.exec(what)?.[1] ?? 0),
    frames: frames.map(([, text, module]) => ({ module, text })),
    location: /^\s*Location is (.+)$/m.exec(text)?.[1] ?? ''
  }
}

module.exports = { FRAME_FORMAT, ofSanitizer, ofValgrind }
