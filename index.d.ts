/// <reference types="node" />

import type { ReadStream, WriteStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { Socket } from 'node:net'

import * as promises from './promises'

export { promises }

/**
 * A descriptor number, or an object that owns one. A socket must be connected, a stream open.
 * A TLS socket is refused: its bytes have to pass through the encryption.
 */
export type Descriptor = number | Socket | ReadStream | WriteStream | FileHandle

/**
 * Where to read from: an integer from 0 to 2^63-1, as a safe integer or a BigInt. `null` reads at
 * the descriptor's own position and advances it, as sendfile(2) does with a NULL offset.
 */
export type Offset = number | bigint | null

/** A failed system call, in the shape of Node's own. */
export interface SystemError extends Error {
  /** The negative OS number: -11 for EAGAIN on Linux. `util.getSystemErrorName(err.errno)` names it. */
  errno: number
  /** Its name, such as `'EAGAIN'` or `'EPIPE'`. */
  code: string
  /** The call that failed: `'sendfile'`, or what it needed first (`'dup'`, `'pthread_create'`). */
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
 * once, in the caller's async context (AsyncLocalStorage).
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
 * The 'drain' that Node emits by itself, after a `write()` that returned false, is separate.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a net.Socket.
 * @throws {Error} `ERR_SENDFILE_NO_DESCRIPTOR`: a socket that is closed, connecting or encrypted.
 * @throws {SystemError} EMFILE, ENOMEM, ENOSPC ...: the system has no room for another descriptor or
 *                       watch; `syscall` tells which (`'dup'`, `'epoll_create'`, `'epoll_ctl'`).
 * @throws {Error} `ERR_SENDFILE_UNAVAILABLE`: no addon for this platform; the reason is in `cause`.
 */
export function watchWritable(socket: Socket): void

/** What `err.errno` and `trySendfile` hold when the destination takes no more for now (-11 on Linux). */
export const EAGAIN: number
