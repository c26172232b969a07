/**
 * `node --require sendfile-native/register app.js`, `node --import sendfile-native/register app.mjs`, the same in
 * NODE_OPTIONS, or `require('sendfile-native/register')` before anything else: every `fs.ReadStream` of the process does
 * as `ReadStream` of this package, however it is made (`fs.createReadStream`, taken from `fs` before or after, subclasses
 * such as graceful-fs's, `filehandle.createReadStream()`), in workers and in the processes of a cluster, too.
 *
 * With SENDFILE_NATIVE_DEBUG=1 in the environment the process tells on stderr, when it exits, how many bytes went
 * natively, how many were read, and why. SENDFILE_NATIVE=off leaves everything as it is. The reasons:
 *
 * - `'disabled'`: SENDFILE_NATIVE=off
 * - `'runtime'`: Bun or Deno
 * - `'unavailable'`: the addon did not load
 * - `'unsupported-file'`: no regular file, or one whose size says nothing, as in /proc
 * - `'replaced'`: a method of the stream that chunks pass through is somebody's own, or the option `fs`
 * - `'consumer'`: whoever wants bytes: listeners, `for await`, several pipes, an `encoding`
 * - `'position'`: a descriptor or FileHandle without `start`
 * - `'http2'`: to an HTTP/2 response or stream
 * - `'not-a-socket'`: to any other Writable, or to a socket without a descriptor of its own
 * - `'closed'`: the destination, or its connection, is closed or has been ended
 * - `'wrapped'`: somebody replaced `write` of the message, or of the socket
 * - `'corked'`: to an HTTP message while it is corked
 * - `'no-body'`: to an answer to HEAD, a 204 or a 304
 * - `'connecting'`: to a socket, or the socket of a request, that is not connected yet
 * - `'tls'`: to a TLS socket
 */

/** Called by requiring this module; after `unregister()`, again. More than once is once. */
export function register (): void

/** From now on, streams do again as those of fs. What was handed on is still sent. */
export function unregister (): void
