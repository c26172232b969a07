// What an ES module in TypeScript sees of the package. Checked by `npm run lint`, never run.

import { EAGAIN, promises, sendfile, trySendfile, watchWritable } from 'sendfile-native'
import type { Descriptor, Offset, SystemError } from 'sendfile-native'
import { sendfile as promised } from 'sendfile-native/promises'
import { register, unregister } from 'sendfile-native/register'

const out: Descriptor = 1
const off: Offset = null
const bytes: number = await promised(out, 2, off, 3) + await promises.sendfile(out, 2, off, 3)
const answered: number = trySendfile(out, 2, off, 3) - EAGAIN
sendfile(out, 2, off, 3, (err: SystemError | null) => { throw err })
register()
const restored: void = unregister()
export { answered, bytes, restored, watchWritable }
