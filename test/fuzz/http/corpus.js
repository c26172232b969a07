'use strict'

// Requests as nobody should send them: made of seeds, and mutated.

const { MODIFIED } = require('./sites')

const DATE = MODIFIED.toUTCString()
const BEFORE = new Date(MODIFIED - 60_000).toUTCString()

const TARGETS = ['/', '/index.html', '/a.txt', '/empty', '/large.bin', '/b%20c.txt', '/folder/', '/folder', '/folder/deep/d.txt', '/none',
  '/per%25cent.txt', '/%C3%BC.txt', '/a.txt?x=/../..', '/a.txt#x']
const OUTWARDS = ['/../secret', '/..%2fsecret', '/%2e%2e/secret', '/%2e%2e%2fsecret', '/folder/../../secret', '/folder/..%2f..%2fsecret',
  '/..%5csecret', '/..\\secret', '/%252e%252e/secret', '/.%2e/secret', '//secret', '/./a.txt', '/folder/../a.txt', '/a.txt/', '/a.txt/..',
  '/a.txt/../a.txt', '/%00', '/a.txt%00.html', '/%ff', '/%c0%ae%c0%ae/secret', '/%', '/%zz', '/../roots', '/../root.txt', '/..', '/.', '//',
  '///a.txt', '/..;/secret', '/proc/self/environ', '/../root-other/secret', '/folder%2f..%2f..%2fsecret', '/....//secret', '*', 'a.txt',
  'http://x/a.txt', 'http://x/../secret', '//x/../secret', '?', '/\u00fc.txt', '/a.txt ', '/a .txt', '/a.txt\t']
const METHODS = ['GET', 'GET', 'GET', 'GET', 'HEAD', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'get', 'GETX', 'TRACE', 'CONNECT', 'DELETE', 'G ET', '']
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.10', '', 'HTTP/11']
const RANGES = ['bytes=0-9', 'bytes=5-', 'bytes=-7', 'bytes=0-0', 'bytes=999-999', 'bytes=1000-', 'bytes=-0', 'bytes=-99999', 'bytes=0-99999',
  'bytes=9-1', 'bytes=0-1,5-9', 'bytes=0-1,1-2,900-', 'bytes=0-,0-,0-', 'bytes=1-2,', 'bytes=,1-2', 'bytes=', 'bytes=-', 'bytes=a-b',
  'items=0-1', 'bytes 0-1', 'bytes=0 - 1', 'bytes=0-1, 3-4 ,6-7', 'bytes=0x1-2', 'bytes=+1-2', 'bytes=1.5-2', 'bytes=18446744073709551615-',
  'bytes=0-18446744073709551616', 'bytes=-18446744073709551616', 'BYTES=0-1', 'bytes=0-1;x', 'bytes=0-1-2', 'bytes=--1',
  `bytes=${Array.from({ length: 70 }, (_, i) => `${i * 10}-${i * 10 + 1}`).join(',')}`, `bytes=${'0-,'.repeat(300)}`, 'bytes=9223372036854775807-9223372036854775807']
const CONDITIONS = [['If-Modified-Since', DATE], ['If-Modified-Since', BEFORE], ['If-Modified-Since', 'yesterday'], ['If-None-Match', '*'], ['If-None-Match', '"x"'],
  ['If-None-Match', 'W/"x", "y'], ['If-None-Match', ''], ['If-Match', '*'], ['If-Match', '"x"'], ['If-Unmodified-Since', DATE], ['If-Unmodified-Since', BEFORE],
  ['If-Range', DATE], ['If-Range', BEFORE], ['If-Range', '"x"'], ['If-Range', '']]
const BODIES = [
  [['Content-Length', '5'], 'hello'], [['Content-Length', '0'], ''], [['Content-Length', '3'], 'hello'], [['Content-Length', '50'], 'hello'],
  [['Content-Length', '-1'], ''], [['Content-Length', '+5'], 'hello'], [['Content-Length', '0x5'], 'hello'], [['Content-Length', '5, 5'], 'hello'],
  [['Content-Length', '5', 'Content-Length', '6'], 'hello!'], [['Content-Length', '99999999999999999999'], 'x'], [['Content-Length', ' 5 '], 'hello'],
  [['Content-Length', ''], ''], [['Content-Length', '5 5'], 'hello'], [['Content_Length', '5'], ''],
  [['Transfer-Encoding', 'chunked'], '5\r\nhello\r\n0\r\n\r\n'], [['Transfer-Encoding', 'chunked'], '0\r\n\r\n'],
  [['Transfer-Encoding', 'chunked'], '5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n'], [['Transfer-Encoding', 'chunked'], '5\nhello\n0\n\n'],
  [['Transfer-Encoding', 'chunked'], 'ffffffffffffffff1\r\nx'], [['Transfer-Encoding', 'chunked'], '-1\r\n\r\n'], [['Transfer-Encoding', 'chunked'], '0x5\r\nhello\r\n0\r\n\r\n'],
  [['Transfer-Encoding', 'chunked'], '5\r\nhelloX\r\n0\r\n\r\n'], [['Transfer-Encoding', 'chunked'], ' 5\r\nhello\r\n0\r\n\r\n'],
  [['Transfer-Encoding', 'chunked', 'Content-Length', '4'], '0\r\n\r\n'], [['Content-Length', '6', 'Transfer-Encoding', 'chunked'], '0\r\n\r\nG'],
  [['Transfer-Encoding', 'xchunked'], '0\r\n\r\n'], [['Transfer-Encoding', 'identity'], ''], [['Transfer-Encoding', 'gzip, chunked'], '0\r\n\r\n'],
  [['Transfer-Encoding', 'chunked, identity'], '0\r\n\r\n'], [['Transfer-Encoding ', 'chunked'], '0\r\n\r\n'], [['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'identity'], '0\r\n\r\n'],
  [['Transfer-Encoding', '\x0bchunked'], '0\r\n\r\n'], [['Transfer-Encoding', 'CHUNKED'], '0\r\n\r\n']]
const CONNECTIONS = ['keep-alive', 'close', 'Keep-Alive', 'CLOSE', 'close, keep-alive', 'upgrade', 'x', '', 'keep-alive, close', 'TE']
const ODD = ['Host:', 'Host: x', 'Host: a b', 'Host: x\r\nHost: y', ' folded: x', 'X: a\r\n b', 'X: a\r\n\tb', 'X : a', 'X:a', ': x', 'X', 'X: \x00', 'X: \x01',
  'X: \xff', `X: ${'x'.repeat(9000)}`, `X: ${'x'.repeat(40_000)}`, `${'X'.repeat(200)}: a`, 'Expect: 100-continue', 'Expect: x', 'Upgrade: h2c',
  'X: a\rb', 'X:\r\n', '\x00: x', 'X\x00: x', 'X: a\x00Transfer-Encoding: chunked', 'Accept-Encoding: gzip, br', 'Cache-Control: no-cache', 'X-HTTP-Method-Override: POST']

function fieldsOf (list) {
  const lines = []
  for (let at = 0; at < list.length; at += 2) lines.push(`${list[at]}: ${list[at + 1]}`)
  return lines
}

/** One request, as text of bytes. */
function request (random) {
  const isOdd = (probability) => random.chance(probability)
  const target = isOdd(0.2) ? random.pick(OUTWARDS) : random.pick(TARGETS)
  const lines = isOdd(0.06) ? [] : ['Host: x']
  if (isOdd(0.3)) lines.push(`Range: ${random.pick(RANGES)}`)
  if (isOdd(0.2)) lines.push(random.pick(CONDITIONS).join(': '))
  if (isOdd(0.1)) lines.push(random.pick(CONDITIONS).join(': '))
  if (isOdd(0.15)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`)
  if (isOdd(0.12)) lines.push(random.pick(ODD))
  let body = ''
  if (isOdd(0.15)) {
    const [fields, bytes] = random.pick(BODIES)
    lines.push(...fieldsOf(fields))
    body = bytes
  }
  const method = isOdd(0.25) ? random.pick(METHODS) : 'GET'
  const version = isOdd(0.1) ? random.pick(VERSIONS) : 'HTTP/1.1'
  const end = isOdd(0.04) ? '\n' : '\r\n'
  return [`${method} ${target} ${version}`, ...lines, '', body].join(end)
}

/** Bytes of one connection: requests behind one another, and what became of them. */
function conversation (random) {
  let text = ''
  for (let count = random.chance(0.5) ? 1 : random.between(2, 6); count > 0; count--) text += request(random)
  if (random.chance(0.08)) text = `${random.pick(['\r\n', '\n', '\r\n\r\n', ' ', '\0'])}${text}`
  if (random.chance(0.12)) for (let count = random.between(1, 3); count > 0; count--) text = mutated(text, random)
  return Buffer.from(text, 'latin1')
}

function mutated (text, random) {
  const at = random.between(0, text.length)
  const to = Math.min(text.length, at + random.between(1, 8))
  return random.pick([
    () => text.slice(0, at) + text.slice(to),
    () => text.slice(0, to) + text.slice(at),
    () => text.slice(0, at) + String.fromCharCode(random.between(0, 255)) + text.slice(at),
    () => text.slice(0, at) + random.pick(['\r\n', '\n', '\r', '\0', ' ', '\t', ':', '/', '..', '%2e', ',', '-']) + text.slice(at),
    () => text.slice(0, at)
  ])()
}

module.exports = { conversation }
