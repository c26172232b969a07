'use strict'

// Where serveStatic, with Node's server before it, and nginx are known to differ, and why each is right. What is none
// of these is a finding. Behind one that `goesOn`, both still talk of the same requests.

const REFUSALS = new Set([400, 405, 408, 413, 414, 417, 431, 494, 501, 505])

/** Whether the request that was answered last so names this field: as the bytes are mutated, whether any does. */
function names (sent, field) {
  return new RegExp(`^${field}`, 'im').test(sent)
}

/** Whether a field of this name has something else than a date as HTTP writes it. */
function hasNoDate (sent, field) {
  const values = [...sent.matchAll(new RegExp(`^${field}:[ \\t]*(.*?)[ \\t\\r]*$`, 'img'))].map(([, value]) => value)
  return values.some((value) => new Date(value).toUTCString() !== value)
}

const differences = [
  {
    name: 'Node refuses',
    reason: 'Node\'s parser is the stricter one (bare LF, unknown methods and versions, invalid fields, ends in the middle), and ends the connection with all that is still to be answered on it',
    matches: ({ ours, isRefused }) => isRefused &&
      (ours === undefined || ours.status === 400 || ours.status === 431 || ours.isCut)
  },
  {
    name: 'nginx refuses',
    reason: 'nginx looks at Host, at the request body of a GET, at transfer codings, versions and paths before anything else; whether a request is one at all is for Node\'s server to say, and not for a handler',
    matches: ({ ours, theirs }) => ours !== undefined && theirs !== undefined && REFUSALS.has(theirs.status) &&
      ours.status !== theirs.status
  },
  {
    name: 'CONNECT',
    reason: 'Node closes the connection, unless somebody listens for it; nginx answers 405',
    matches: ({ ours, sent }) => ours === undefined && /CONNECT /i.test(sent)
  },
  {
    name: 'keep-alive and close',
    reason: 'of a Connection that names both nginx takes the one, and Node\'s server the other',
    matches: ({ ours, theirs, sent }) => (ours === undefined) !== (theirs === undefined) &&
      /^Connection:[^\r\n]*(?:keep-alive[^\r\n]*close|close[^\r\n]*keep-alive)/im.test(sent)
  },
  {
    name: 'no-cache',
    reason: 'who reloads wants the file, as send has it; nginx answers 304 all the same',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours !== undefined && ours.status !== 304 && theirs?.status === 304 &&
      names(sent, 'Cache-Control:[^\\r\\n]*no-cache')
  },
  {
    name: 'Upgrade',
    reason: 'Node answers a request that wants to upgrade, where nobody listens for that, and no other behind it; nginx goes on',
    matches: ({ ours, theirs, sent }) => ours === undefined && theirs !== undefined && names(sent, 'Connection: *upgrade')
  },
  {
    name: 'Expect',
    reason: 'Node answers 417 to an expectation that it does not know, nginx ignores it',
    matches: ({ ours, sent }) => ours?.status === 417 && names(sent, 'Expect:')
  },
  {
    name: '416 for what is no range',
    reason: 'RFC 9110, 14.2: an invalid Range may be ignored, which we do; nginx answers 416, also to empty elements, to numbers beyond 63 bits, and before conditions are looked at',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => theirs?.status === 416 && ours !== undefined && ours.status < 400 && names(sent, 'Range:')
  },
  {
    name: 'a range of an empty file',
    reason: 'none can be satisfied, so 416; nginx sends the empty file',
    goesOn: true,
    matches: ({ ours, theirs }) => ours?.status === 416 && ours.headers['content-range'] === 'bytes */0' && theirs?.status === 200
  },
  {
    name: 'ranges of more than the file',
    reason: 'nginx sends the whole where ranges overlap to more than the file has, and where the only one is all of it; we join them, and what was asked for is answered as 206',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status === 206 && theirs?.status === 200 && names(sent, 'Range:')
  },
  {
    name: 'ranges that touch',
    reason: 'they are joined to one, which RFC 9110, 14.2 wants, nginx sends each',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status === 206 && theirs?.status === 206 && names(sent, 'Range:[^\\r\\n]*,')
  },
  {
    name: 'a range of HEAD',
    reason: 'RFC 9110 defines ranges for GET; nginx answers HEAD with 206',
    goesOn: true,
    matches: ({ ours, theirs }) => ours?.method === 'HEAD' && ours.status === 200 && (theirs?.status === 206 || theirs?.status === 416)
  },
  {
    name: 'dots at the end',
    reason: 'a folder is asked for without a slash: we redirect, nginx takes `/.` and `/x/..` for `/`',
    goesOn: true,
    matches: ({ ours, theirs }) => ours?.status === 301 && theirs !== undefined && /\/(?:\.|%2e){1,2}(?:$|[?#])/i.test(ours.headers['x-target'])
  },
  {
    name: 'nginx closes',
    reason: 'nginx closes the connection after errors that leave nothing unclear, such as 412, and what it has not read of it turns that into a reset',
    matches: ({ ours, theirs, before }) => ours !== undefined && theirs === undefined &&
      (before?.status >= 400 || ours.status === 412)
  },
  {
    name: '304 by HTTP/1.0',
    reason: 'Node\'s server keeps a connection of HTTP/1.0 only behind an answer that has a length',
    matches: ({ ours, theirs, before, sent }) => ours === undefined && theirs !== undefined && before?.status === 304 && sent.includes('HTTP/1.0')
  },
  {
    name: 'empty segments',
    reason: 'as serve-static, we join slashes before dots are looked at, and refuse what leads outside then; for nginx `..` takes an empty segment away',
    goesOn: true,
    matches: ({ ours, theirs }) => ours?.status === 403 && theirs !== undefined && /\/\/(?:\.|%2e){2}/i.test(ours.headers['x-target'])
  },
  {
    name: 'HTTP/0.9',
    reason: 'a request line without a version: nginx answers with a body and no head, Node as HTTP/1.1, and closes',
    matches: ({ ours, theirs, sent }) => ours !== undefined && theirs === undefined && /^[A-Z]+ +\S+\s*$/m.test(sent)
  },
  {
    name: 'blanks in a range',
    reason: 'RFC 9110, 14.1.1 has none around the dash, so it is no range; nginx skips them',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status === 200 && theirs?.status === 206 && /^Range:.*[\d-][ \t]+[\d-]/im.test(sent)
  },
  {
    name: 'methods',
    reason: 'we answer 405 to every method but GET and HEAD; nginx redirects any from a folder, and looks for the file before the method',
    goesOn: true,
    matches: ({ ours, theirs }) => ours?.status === 405 && theirs !== undefined
  },
  {
    name: 'conditions',
    reason: 'RFC 9110, 13.1.4: If-Unmodified-Since is ignored beside If-Match, and where it is no date; nginx answers 412',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status < 400 && theirs?.status === 412 && names(sent, 'If-Unmodified-Since:')
  },
  {
    name: 'If-None-Match goes first',
    reason: 'RFC 9110, 13.1.3: If-Modified-Since is ignored beside If-None-Match; nginx sends the file unless both say 304',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status === 304 && theirs?.status < 300 && names(sent, 'If-None-Match:') && names(sent, 'If-Modified-Since:')
  },
  {
    name: 'dates that are none',
    reason: 'RFC 9110, 13.1.3: what is no valid date is ignored, so the file is sent; nginx does not look at the day of the week',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status < 300 && theirs?.status === 304 &&
      hasNoDate(sent, 'If-Modified-Since')
  },
  {
    name: 'If-Range with a date that is none',
    reason: 'RFC 9110, 13.1.5: it has to be the validator as it was given, so the whole file is sent; nginx looks for the parts of a date and skips the rest',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status === 200 && theirs?.status === 206 &&
      hasNoDate(sent, 'If-Range')
  },
  {
    name: 'a reload',
    reason: 'who reloads (Cache-Control: no-cache) gets the file, as from serve-static; nginx answers 304',
    goesOn: true,
    matches: ({ ours, theirs, sent }) => ours?.status < 300 && theirs?.status === 304 && names(sent, 'Cache-Control:')
  }
]

module.exports = { differences }
