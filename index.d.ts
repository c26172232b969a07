/// <reference types="node" />

import type { ReadStream as FsReadStream, WriteStream, createReadStream as fsCreateReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { ClientRequest, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'

import * as promises from './promises'

export { promises }

/**
 * A descriptor number, or an object that owns one. A socket must be connected, a stream open.
 * A TLS socket is refused: its bytes have to pass through the encryption.
 */
export type Descriptor = number | Socket | FsReadStream | WriteStream | FileHandle

/**
 * Where to read from: an integer from 0 to 2^63-1, as a Number or a BigInt. `null` reads at
 * the descriptor's own position and advances it, as sendfile(2) does with a NULL offset.
 */
export type Offset = number | bigint | null

/** A failed system call, in the shape of Node's own. */
export interface SystemError extends Error {
  /** The negative OS number: -11 for EAGAIN on Linux. `util.getSystemErrorName(err.errno)` names it. */
  errno: number
  /** Its name, such as `'EAGAIN'` or `'EPIPE'`. */
  code: string
  /** The call that failed: `'sendfile'`, or what it needed first (`'dup'`, `'epoll_ctl'`, `'open'` ...). */
  syscall: string
}

/**
 * One sendfile(2), on this thread: moves up to `len` bytes from `inFd` to `outFd` inside the kernel.
 * A destination or a file that makes the system call wait makes the event loop wait; Node's own
 * sockets are non-blocking and answer EAGAIN instead.
 *
 * A socket (or other Writable) with bytes still queued in JavaScript answers EAGAIN without a system
 * call: those bytes go first.
 *
 * @param outFd Where the bytes go: a socket, a pipe, a file that is not open for appending.
 * @param inFd  Where they come from: a file that can be mapped (no pipe, no socket, no directory).
 * @param off   Where to start, in bytes.
 * @param len   How many bytes at most, from 0 to 2^53-1; 0 returns 0 without a system call. Linux moves
 *              at most 0x7ffff000 (2,147,479,552) at once.
 * @returns The bytes moved. Possibly fewer than asked; 0 at the end of the file.
 * @throws {SystemError} Any errno of sendfile(2) but EINTR, which is retried.
 * @throws {TypeError}  `ERR_INVALID_ARG_TYPE`: an argument of the wrong type.
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a negative, fractional, NaN or too large number.
 * @throws {Error} `ERR_SENDFILE_NO_DESCRIPTOR`: a stream or socket that is closed, not open yet,
 *                 connecting, or encrypted.
 * @throws {Error} `ERR_SENDFILE_UNAVAILABLE`: no addon for this platform; the reason is in `cause`.
 * @see {@link https://man7.org/linux/man-pages/man2/sendfile.2.html sendfile(2)}
 */
export function sendfile(outFd: Descriptor, inFd: Descriptor, off: Offset, len: number): number

/**
 * The same call on a thread of the package's own (up to four for each of the main thread and the
 * workers; never libuv's). Both descriptors are duplicated at once, so what happens to the numbers
 * afterwards changes nothing. A pending call keeps the process alive; a terminated worker's calls
 * are abandoned.
 *
 * Argument errors are thrown at once. Everything else goes to `callback`, always later, exactly
 * once, in the caller's async context (AsyncLocalStorage): a SystemError, or `ERR_SENDFILE_NO_THREAD` when the system
 * refused a thread, with its error in `cause`.
 *
 * Calls under way at once may finish in any order: on one destination, or with a null offset on one file, wait for an
 * answer before the next call.
 *
 * `util.promisify(sendfile)` is `promises.sendfile`.
 */
export function sendfile(
  outFd: Descriptor, inFd: Descriptor, off: Offset, len: number,
  callback: (err: SystemError | null, bytes: number) => void
): void

export namespace sendfile {
  const __promisify__: typeof promises.sendfile
}

/**
 * `sendfile(outFd, inFd, off, len)`, but a failed system call is returned as its negative errno
 * instead of thrown: on a socket EAGAIN is an expected answer, and an exception costs more than the
 * system call.
 *
 * @returns The bytes moved, or a negative errno such as `EAGAIN`.
 * @throws As `sendfile`, but for the SystemError.
 */
export function trySendfile(outFd: Descriptor, inFd: Descriptor, off: Offset, len: number): number

/**
 * Emits 'drain' on `socket` once, as soon as its JavaScript queue is empty and the kernel takes more
 * data, in the caller's async context: what to wait for after EAGAIN. The kernel tells (epoll(7)); no
 * timer, no CPU while waiting. A call while one is pending adds nothing.
 *
 * Closing the socket cancels it. When the peer resets the connection, the socket gets its 'error' or
 * 'close', or 'drain', and the next `sendfile` throws. It keeps the process alive no longer than the
 * socket does.
 *
 * The 'drain' that Node emits by itself, after a `write()` that returned false, is separate. While bytes wait in a corked
 * queue, nothing is watched: a reset is noticed at `uncork()`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a net.Socket.
 * @throws {Error} `ERR_SENDFILE_NO_DESCRIPTOR`: a socket that is closed, connecting or encrypted.
 * @throws {SystemError} EMFILE, ENOMEM, ENOSPC ...: the system has no room for another descriptor or
 *                       watch; `syscall` tells which (`'dup'`, `'epoll_create'`, `'epoll_ctl'`).
 * @throws {Error} `ERR_SENDFILE_NO_THREAD`: the system refused a thread; `cause` is the system error.
 * @throws {Error} `ERR_SENDFILE_UNAVAILABLE`: no addon for this platform; the reason is in `cause`.
 */
export function watchWritable(socket: Socket): void

/** What `err.errno` and `trySendfile` hold when the destination takes no more for now (-11 on Linux). */
export const EAGAIN: number

/** Where a whole file can go. */
export type Destination = Socket | ServerResponse | ClientRequest | Http2ServerResponse | Writable

export interface TransferOptions {
  /** The first byte to send. Default: 0. A start beyond the end of the file sends nothing. */
  start?: number
  /** The last byte to send, inclusive, as in fs.createReadStream. Default: the end of the file. */
  end?: number
  /**
   * Aborts the transfer: the promise is rejected with an AbortError. Before anything was queued, the head
   * of a response included, the destination is untouched; on a raw socket, a file whose turn has not
   * come is left out; otherwise the connection is destroyed.
   */
  signal?: AbortSignal
  /** Whether the destination is ended after the file, as by pipe(). Default: true. */
  endDestination?: boolean
  /**
   * Called about ten times a second with the bytes that have been handed to the kernel and those that will
   * be in all, and once when all of them have.
   */
  onProgress?: (bytesSent: number, total: number) => void
  /**
   * Whether the file may be copied where it cannot be sent without. Default: true. With false the promise is
   * rejected with `ERR_SENDFILE_UNAVAILABLE`, whose `reason` says why, before anything is sent; only when the kernel
   * itself refuses the file, which shows when it is asked, has the head left, and the connection is destroyed.
   */
  fallback?: boolean
  /** Whether to try zero copy. Default: true. With false the file is always copied. */
  zeroCopy?: boolean
}

/**
 * Why a file was copied: `'disabled'` (`zeroCopy: false`, or `SENDFILE_NATIVE=off`), `'unavailable'` (no addon),
 * `'runtime'` (Bun or Deno),
 * `'tls'`, `'http2'`, `'wrapped'` (somebody replaced `write`: compression has to see the bytes),
 * `'not-a-socket'`, `'unsupported-file'` (its file system cannot: copied by native threads).
 */
export type CopyReason =
  'disabled' | 'unavailable' | 'runtime' | 'tls' | 'http2' | 'wrapped' | 'not-a-socket' | 'unsupported-file'

export interface TransferResult {
  /** Bytes of the file that were sent: 0 for HEAD, 204 and 304. */
  bytesSent: number
  /** Whether they bypassed the heap: sent from the page cache by the kernel. */
  zeroCopy: boolean
  /** Why not, or null. */
  reason: CopyReason | null
  /**
   * Whether the file has another size or modification time than when it was opened, or is no longer under its
   * name: what was sent may be a mixture. Always false for the reasons 'unavailable' and 'runtime'.
   */
  changed: boolean
}

/**
 * Sends a file, or a part of it, to a socket, an HTTP message or any Writable: without copying where that
 * is possible, and with the same result where it is not.
 *
 * On a socket the file is queued at once, behind what was written before the call and before what is written after
 * it; several files on one destination need `endDestination: false`. A path is opened when its turn comes. On
 * a response, the path is opened when the response owns its connection, and then the head is written, with
 * Content-Length unless the caller chose a framing; until the promise settles, `write()`, `end()` and a second
 * `transferFile` on it fail with `ERR_SENDFILE_RESPONSE_BUSY`.
 *
 * @param file A path (string, Buffer or file: URL), which has to be a regular file; or an open descriptor or
 *             FileHandle, which stays open, the caller's, and its position where it is.
 * @returns When every byte is in the kernel, or was taken by the Writable.
 * @throws {SystemError} of opening, reading or sending: with `bytesSent`, as every failure but those of arguments.
 * @throws {Error} `ERR_SENDFILE_NO_THREAD`: the system refused a thread; `cause` is the system error.
 * @throws {Error} `ERR_SENDFILE_TRUNCATED`: the file is, or became, shorter than promised; the connection was destroyed.
 * @throws {Error} `ERR_STREAM_PREMATURE_CLOSE`: the destination was closed, or had ended, before the end.
 * @throws {Error} `ABORT_ERR`: see `signal`.
 * @throws {Error} `ERR_HTTP_CONTENT_LENGTH_MISMATCH`: the file is longer than the Content-Length that the caller set.
 * @throws {Error} `ERR_SENDFILE_RESPONSE_BUSY`: another file is being sent to this response.
 * @throws {Error} `ERR_SENDFILE_UNAVAILABLE`: see `fallback`.
 * @throws {TypeError | RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`; of a URL
 *   `ERR_INVALID_URL_SCHEME`, `ERR_INVALID_FILE_URL_PATH`, `ERR_INVALID_FILE_URL_HOST`.
 */
export function transferFile(
  destination: Destination, file: string | Buffer | URL | number | FileHandle, options?: TransferOptions
): Promise<TransferResult>

/**
 * A `fs.ReadStream`, with every option, property, event and error of it. While its only consumer is one `pipe()` (or
 * `stream.pipeline`) to a socket or an HTTP message that can be sent to without copying, what flows is not bytes but
 * regions of the file, of 8 MiB at most. Any other consumer gets bytes, whenever it comes: what was handed to the pipe
 * stays there, what follows is bytes, and no listener ever sees a region. Bytes are read, too, for a TLS socket, for a
 * response whose `write` was replaced, with an `encoding` or the option `fs`, and for a descriptor or FileHandle without
 * `start`, whose position others may share.
 *
 * Three things are other than with `fs.ReadStream`:
 * - A destination that closes before it has finished destroys a stream whose only consumer it was, unless
 *   `unpipe()` was called, or `autoClose` is false. fs leaves it paused for good, with its descriptor open.
 * - A response that ends before it has the Content-Length that it promised, because the file was shorter, closes its
 *   connection. fs leaves it open, and the next response is taken for the rest of the body. A file that becomes shorter
 *   while a region of it is sent destroys the connection and the stream, without 'error'.
 * - A file that can no longer be read emits 'error' with the syscall `'sendfile'` or `'read'`, and its connection is
 *   destroyed. Once the stream has emitted 'end', its last region may still be on its way: then it is the response that
 *   closes before it has finished.
 */
export class ReadStream extends FsReadStream {
  constructor (...args: Parameters<typeof fsCreateReadStream>)
}

/** `new ReadStream(path, options)`, as `fs.createReadStream`. */
export const createReadStream: (...args: Parameters<typeof fsCreateReadStream>) => ReadStream

/**
 * Counters since the package was loaded. `bytes.copied`, `streams` and `fallbacks` are of this thread (the main one, or
 * a worker), all others of the whole process.
 */
export interface Stats {
  transfers: {
    /** Gather lists that were given to the engine. */
    total: number
    /** Those that it is sending now. */
    active: number
  }
  /** Bytes, by how they were moved, and by where. */
  bytes: {
    /** By sendfile(2). */
    sendfile: number
    /** By send(2): heads, small files, and files that are read by native threads. */
    send: number
    /** Of both: on the JavaScript thread. */
    inline: number
    /** Of both: on the reactor's thread. */
    reactor: number
    /** Through JavaScript. */
    copied: number
  }
  /** What `createReadStream` and `register` handed to pipes as regions: how many, and how many bytes. */
  streams: { regions: number, bytes: number }
  /** Times that a socket took no more for now. */
  wouldBlocks: number
  /** Times that one took more again. */
  wakeUps: number
  /** Pieces of files that were not in memory, and were read by native threads. */
  fetches: number
  /** Files that were copied through JavaScript, by reason: never 'unsupported-file', which native threads copy. */
  fallbacks: Partial<Record<CopyReason, number>>
}

export function stats(): Stats
