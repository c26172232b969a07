// What a program for a bundler sees of the package: an ES module that no extension says to be one.

import sendfileNative, { transferFile } from 'sendfile-native'
import * as promises from 'sendfile-native/promises'
import * as registered from 'sendfile-native/register'
import staticFiles, { serveFile } from 'sendfile-native/static'

const same: typeof sendfileNative.transferFile = transferFile
const bytes: Promise<number> = promises.sendfile(1, 2, null, 3)
const restored: void = registered.unregister()
const served: typeof staticFiles.serveFile = serveFile
// @ts-expect-error there is no such name
sendfileNative.serveFile

export { bytes, restored, same, served }
