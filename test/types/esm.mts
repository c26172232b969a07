// What an ES module in TypeScript sees of the package. Checked by `npm run lint`, never run.

import http from 'node:http'
import http2 from 'node:http2'

import sendfileNative, { EAGAIN, promises, sendfile, trySendfile, watchWritable } from 'sendfile-native'
import type { Descriptor, Offset, SystemError } from 'sendfile-native'
import { sendfile as promised } from 'sendfile-native/promises'
import { register, unregister } from 'sendfile-native/register'
import { serveFile, serveStatic } from 'sendfile-native/static'
import type { StaticHandler } from 'sendfile-native/static'

const out: Descriptor = 1
const off: Offset = null
const bytes: number = await promised(out, 2, off, 3) + await promises.sendfile(out, 2, off, 3)
const answered: number = trySendfile(out, 2, off, 3) - EAGAIN
sendfile(out, 2, off, 3, (err: SystemError | null) => { throw err })
register()

const handler: StaticHandler = serveStatic('public', { index: ['index.html'], precompressed: ['br', 'gzip'], maxAge: '1 day' })
http.createServer((req, res) => handler(req, res, (err) => { res.statusCode = err === undefined ? 404 : 500 }))
http.createServer(async (req, res) => {
  const { statusCode, bytesSent, zeroCopy, reason } = await serveFile(req, res, 'file', {
    root: 'public', setHeaders: (res, path, stat) => { res.setHeader('X-Size', stat.size) }
  })
})
http2.createServer((req, res) => serveStatic<http2.Http2ServerResponse>('public')(req, res))
// @ts-expect-error there is no such option
serveStatic('public', { dotfile: 'deny' })
// @ts-expect-error a path is needed
serveStatic()
const restored: void = unregister()
const whole: typeof sendfile = sendfileNative.sendfile
export { answered, bytes, restored, watchWritable, whole }
