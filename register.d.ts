/**
 * `node --require sendfile-native/register app.js`, `node --import sendfile-native/register app.mjs`, the same in
 * NODE_OPTIONS, or `require('sendfile-native/register')` before anything else: every `fs.ReadStream` of the process does
 * as `ReadStream` of this package, however it is made (`fs.createReadStream`, taken from `fs` before or after, subclasses
 * such as graceful-fs's, `filehandle.createReadStream()`), in workers and in the processes of a cluster, too.
 *
 * With SENDFILE_NATIVE_DEBUG=1 in the environment the process tells on stderr, when it exits, how many bytes went
 * natively, how many were read, and why. SENDFILE_NATIVE=off leaves everything as it is.
 */

/** Called by requiring this module; after `unregister()`, again. More than once is once. */
export function register (): void

/** From now on, streams do again as those of fs. What was handed on is still sent. */
export function unregister (): void
