// What a CommonJS program in TypeScript sees of the package. Checked by `npm run lint`, never run.

import fs = require('node:fs')
import net = require('node:net')
import util = require('node:util')
import sendfileNative = require('sendfile-native')
import promised = require('sendfile-native/promises')
import registered = require('sendfile-native/register')
import staticFiles = require('sendfile-native/static')

declare const socket: net.Socket
declare const handle: fs.promises.FileHandle
const { EAGAIN, promises, sendfile, stats, transferFile, trySendfile, watchWritable } = sendfileNative

const bytes: number = sendfile(socket, handle, 0, 1)
const tried: number = trySendfile(fs.createWriteStream('a'), fs.createReadStream('b'), 0n, 1)
const nothing: void = sendfile(1, 2, null, 3, (err, bytes) => {
  const code: string | undefined = err?.code
  const errno: number | undefined = err?.errno
  const syscall: string | undefined = err?.syscall
  const sum: number = bytes + EAGAIN
})
const bySame: typeof promised.sendfile = promises.sendfile
const moved: Promise<number> = promised.sendfile(1, 2, 3, 4)
const promisified: Promise<number> = util.promisify(sendfile)(1, 2, 3n, 4)
const watched: void = watchWritable(socket)

// @ts-expect-error a text is no descriptor
sendfile('1', 2, 3, 4)
// @ts-expect-error the length is needed
sendfile(1, 2, 3)
// @ts-expect-error a length is a number
trySendfile(1, 2, 3, 4n)
// @ts-expect-error null, not undefined, is the descriptor's own position
trySendfile(1, 2, undefined, 4)
// @ts-expect-error only a socket can be watched
watchWritable(1)

const transferred: Promise<boolean> = transferFile(socket, new URL('file:///a'), {
  start: 0, end: 9, signal: new AbortController().signal, endDestination: false, fallback: false, zeroCopy: true,
  onProgress: (bytesSent: number, total: number) => {}
}).then(({ bytesSent, zeroCopy, reason, changed }) => reason === 'tls' && bytesSent > 0 && zeroCopy && changed)
const copied: number = stats().bytes.copied + (stats().fallbacks.wrapped ?? 0)
// @ts-expect-error there is no such option
transferFile(socket, 'file', { begin: 1 })

const stream: sendfileNative.ReadStream = sendfileNative.createReadStream('file', { start: 1, end: 2 })
const isOfFs: fs.ReadStream = new sendfileNative.ReadStream('file', 'utf8')
const inRegions: number = stats().streams.bytes
// @ts-expect-error a path is needed
sendfileNative.createReadStream()

const restored: void = registered.unregister()
const handler: staticFiles.StaticHandler = staticFiles.serveStatic('public', { dotfiles: 'deny', extensions: ['html'] })
// @ts-expect-error there is no such value
staticFiles.serveStatic('public', { dotfiles: 'hide' })
