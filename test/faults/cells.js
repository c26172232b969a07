'use strict'

// The matrix: which system calls are struck, with what, at which call, and for which requests.

const { constants: { errno: numbers } } = require('node:os')

/** At the first, the second and the fourth call of a thread, or at each. */
const WHENS = ['1', '2', '4', '1+']
const ONCE = ['1', '2', '4']

/** One request to a server: the way that the file leaves, and how long it is. */
function target (way, size) {
  return { way, size, name: `struck-${size}.bin` }
}

const large = ['static', 'transfer', 'stream', 'length', 'raw'].map((way) => target(way, 'large'))
const middle = ['static', 'transfer', 'raw'].map((way) => target(way, 'middle'))
const small = ['static', 'transfer', 'stream', 'raw'].map((way) => target(way, 'small'))
/** What JavaScript reads, and writes. */
const copied = ['copied', 'tls', 'http2'].map((way) => target(way, 'large'))
const cold = ['static', 'transfer', 'length', 'raw'].map((way) => target(way, 'cold'))

/**
 * Which calls are struck:
 *   file    those on the file that is asked for
 *   name    those that name it, by its path or below its folder
 *   folder  those on the folder of all files
 *   again   those that open a descriptor anew (/proc/self/fd)
 *   main, reactor   those of these threads
 * EINTR is never given at each call: it is repeated for good. `isLinked`: the root leads over a symbolic link, so that
 * folder and name are not one path.
 */
const groups = [
  {
    call: 'sendfile',
    by: 'file',
    targets: [...large, target('static', 'middle')],
    survived: ['EAGAIN', 'EINTR', 'EINVAL', 'ENOSYS', 'EPERM', 'EOPNOTSUPP'],
    failing: ['EIO', 'ENOMEM', 'EPIPE', 'ECONNRESET', 'EOVERFLOW', 'ETIMEDOUT', 'ENETDOWN', 'ENOBUFS']
  },
  {
    call: 'sendto',
    by: 'main',
    targets: [...small, target('transfer', 'middle'), target('raw', 'large'), target('static', 'large')],
    survived: ['EAGAIN', 'EINTR'],
    failing: ['ENOBUFS', 'ENOMEM', 'EPIPE', 'ECONNRESET', 'ETIMEDOUT', 'EPERM', 'EHOSTUNREACH'],
    whens: ONCE
  },
  {
    call: 'sendto',
    by: 'reactor',
    targets: [target('transfer', 'cold'), target('raw', 'cold'), target('stream', 'large')],
    beside: ['preadv2:error=EOPNOTSUPP'],
    survived: ['EAGAIN', 'EINTR'],
    failing: ['ENOBUFS', 'ENOMEM', 'EPIPE', 'ECONNRESET'],
    whens: ONCE
  },
  {
    call: 'openat2',
    by: 'name',
    targets: [target('static', 'small'), target('static', 'large'), target('transfer', 'large'), target('raw', 'small'),
      target('tls', 'small'), target('http2', 'small')],
    survived: ['ENOSYS', 'EPERM', 'EINTR'],
    failing: ['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'ENOENT', 'EAGAIN', 'EIO', 'ELOOP', 'EXDEV', 'ENOTDIR',
      'ENAMETOOLONG', 'EINVAL', 'E2BIG']
  },
  {
    call: 'openat2',
    by: 'folder',
    targets: [target('static', 'small'), target('static', 'cold')],
    survived: ['ENOSYS', 'EPERM', 'EINTR'],
    failing: ['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EIO'],
    isLinked: true
  },
  {
    call: 'openat',
    by: 'name',
    targets: [target('transfer', 'small'), target('raw', 'large'), target('stream', 'small')],
    beside: ['openat2:error=ENOSYS'],
    survived: [],
    failing: ['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'ENOENT', 'EIO', 'EINTR'],
    whens: ['1', '1+']
  },
  {
    call: 'openat',
    by: 'again',
    targets: [target('static', 'small'), target('static', 'large')],
    // A disk's thread opens a name where the JavaScript thread may not, and what it found once more.
    beside: ['openat2:error=EAGAIN:when=1'],
    survived: ['EINTR'],
    failing: ['EMFILE', 'ENFILE', 'EACCES', 'ENOENT', 'EIO'],
    whens: ['1', '1+']
  },
  {
    call: 'newfstatat',
    by: 'file',
    targets: [target('static', 'small'), ...middle, target('stream', 'large'), ...copied],
    survived: ['EINTR'],
    failing: ['EIO', 'ENOMEM', 'EACCES', 'EOVERFLOW']
  },
  {
    call: 'statx',
    by: 'folder',
    targets: [target('static', 'small'), target('static', 'large')],
    isLinked: true,
    survived: ['ENOSYS', 'EPERM', 'ENOMEM', 'EACCES', 'EINTR'],
    failing: []
  },
  {
    call: 'fstatfs',
    by: 'file',
    targets: [target('transfer', 'large'), target('stream', 'large'), target('static', 'large')],
    beside: ['openat2:error=EAGAIN:when=1'],
    survived: ['ENOSYS', 'EIO', 'ENOMEM', 'EINTR'],
    failing: [],
    whens: ['1', '1+']
  },
  {
    call: 'fcntl',
    by: 'main',
    targets: [target('static', 'large'), target('transfer', 'large'), target('stream', 'large'), target('raw', 'large')],
    survived: ['EMFILE', 'ENFILE'],
    failing: ['ENOMEM', 'EPERM'],
    // Node's own thread has other uses for it, too.
    whens: ONCE
  },
  {
    call: 'epoll_ctl',
    by: 'reactor',
    targets: large,
    survived: [],
    failing: ['ENOMEM', 'ENOSPC', 'EPERM'],
    whens: WHENS
  },
  {
    call: 'write',
    title: 'write (eventfd)',
    by: 'main',
    targets: [target('static', 'large'), target('transfer', 'large'), target('raw', 'large')],
    survived: ['EAGAIN'],
    failing: [],
    whens: ONCE
  },
  {
    call: 'preadv2',
    by: 'file',
    targets: [...small, ...middle, target('stream', 'large')],
    survived: ['EAGAIN', 'EOPNOTSUPP', 'ENOSYS', 'EINTR', 'EINVAL', 'EPERM'],
    failing: ['EIO', 'ENOMEM']
  },
  {
    call: 'pread64',
    by: 'file',
    targets: [...cold, ...copied],
    survived: ['EINTR'],
    failing: ['EIO', 'ENOMEM', 'ETIMEDOUT'],
    whens: WHENS
  }
]

/** What a server is refused that has not sent before: its threads, and what they wait with, are not there yet. */
const firsts = [
  { call: 'clone,clone3', title: 'clone3 and clone', survived: [], failing: ['EAGAIN', 'ENOMEM', 'EPERM'], whens: ['1', '2', '1+'] },
  { call: 'clone3', survived: ['ENOSYS'], failing: [], whens: ['1', '1+'] },
  { call: 'epoll_create1', survived: [], failing: ['EMFILE', 'ENFILE', 'ENOMEM'], whens: ['1'] },
  { call: 'eventfd2', survived: [], failing: ['EMFILE', 'ENFILE', 'ENOMEM'], whens: ['1'] },
  { call: 'sched_setattr', survived: ['EPERM', 'ENOSYS', 'EINVAL'], failing: [], whens: ['1'] }
].map((group) => ({ by: 'process', targets: [target('static', 'large'), target('transfer', 'small'), target('raw', 'large')], ...group }))

/** What the server may tell its program where a call was struck with this errno: its code. */
function explains (code, errno) {
  return code === errno || code === 'closed' || code === 'ERR_SENDFILE_NO_THREAD'
}

function isSystemCode (code) {
  return numbers[code] !== undefined
}

/** Every cell; `--quick`: of each errno one call and one request, each of these in turn. */
function cellsOf ({ targets, survived, failing, whens = WHENS }, isQuick, turn) {
  return [...survived, ...failing].flatMap((errno, index) => {
    const possible = errno === 'EINTR' ? whens.filter((when) => when !== '1+') : whens
    const all = possible.flatMap((when) => targets.map((target) => ({ errno, when, target })))
    // Most calls of a request are its first: of these every other cell.
    if (!isQuick) return all
    const place = turn + index
    const when = place % 2 === 0 ? possible[0] : possible[(place >> 1) % possible.length]
    return [{ errno, when, target: targets[(place + (place >> 1)) % targets.length] }]
  })
}

module.exports = { cellsOf, explains, firsts, groups, isSystemCode, target }
