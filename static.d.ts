/// <reference types="node" />

import type { Stats } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

import type { CopyReason } from './index'

export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

/** A coding for which a file may lie beside another: `.br`, `.zst`, `.gz`. */
export type Coding = 'br' | 'zstd' | 'gzip'

/** What `serveFile` and `serveStatic` have in common. Names and meaning are those of serve-static and send. */
export interface ServeOptions<Res extends Response = Response> {
  /** Whether ranges are served (RFC 9110, section 14). Default: true */
  acceptRanges?: boolean
  /** Whether to set Cache-Control, from `maxAge` and `immutable`, unless the response has it. Default: true */
  cacheControl?: boolean
  /** Whether to set ETag, unless the response has it: weak, from size and modification time. Default: true */
  etag?: boolean
  /** Whether Cache-Control says `immutable`. Default: false */
  immutable?: boolean
  /** Whether to set Last-Modified, unless the response has it. Default: true */
  lastModified?: boolean
  /** Cache-Control's max-age: milliseconds, or a text such as '1 day'. At most a year. Default: 0 */
  maxAge?: number | string
  /**
   * Whether to send the `.br`, `.zst` or `.gz` that lies beside a file instead of it, when Accept-Encoding permits;
   * a list says which to look for, the preferred first. The file itself has to be there, and not to be younger. The
   * response then has Vary: Accept-Encoding, and the type of the file itself. Not for a response that has a
   * Content-Encoding already. Default: false
   */
  precompressed?: boolean | readonly Coding[]
  /**
   * Called before the head is made, to set what further header fields it is to have. A field that was set is left as
   * it is. Synchronous; what it throws is the request's error. `path` and `stat` are of the file that is sent, which may
   * be a compressed one.
   */
  setHeaders?: (res: Res, path: string, stat: Stats) => void
}

export interface ServeFileOptions<Res extends Response = Response> extends ServeOptions<Res> {
  /**
   * `path` is a name below this folder, and nothing outside it is sent, wherever symbolic links may lead. An absolute
   * `path` is refused with 403.
   */
  root?: string
  /** With `root`: whether symbolic links are followed; as in `serveStatic`. Default: true */
  symlinks?: boolean
}

export interface ServeStaticOptions<Res extends Response = Response> extends ServeOptions<Res> {
  /** What to do with names that begin with a dot: 404, 403, or nothing special. Default: 'ignore' */
  dotfiles?: 'allow' | 'deny' | 'ignore'
  /** What to try behind a name that is not found, such as `['html']`. Default: false */
  extensions?: readonly string[] | string | false
  /**
   * Whether `next()` is called for what is not found or not permitted, rather than `next(err)`. What is there, but not
   * as the request wants it (412, 416), goes to `next(err)` always. Default: true
   */
  fallthrough?: boolean
  /** What to send for a folder, the first that there is. Default: 'index.html' */
  index?: readonly string[] | string | false
  /** Whether a folder's name without a slash is redirected to the one with it. Default: true */
  redirect?: boolean
  /**
   * Whether symbolic links are followed, as long as they stay inside `root`: not those with an absolute target, nor
   * those that leave and come back (RESOLVE_BENEATH of openat2(2); without it, where they lead decides). Default: true
   */
  symlinks?: boolean
}

/** How a request was answered. */
export interface Served {
  /** 200, 206, 304, or what the response had been given before. */
  statusCode: number
  /** Bytes of the body, with what stands between the ranges of a multipart/byteranges body. */
  bytesSent: number
  /** Whether all bytes of the file were sent from the page cache, as of `transferFile`. */
  zeroCopy: boolean
  /** Why not, or null. */
  reason: CopyReason | null
}

/**
 * Why a file is not served, before anything of the response was sent, or set other than by `setHeaders`: an error as
 * http-errors makes them.
 *
 * - 400 a name that is no UTF-8 or has a NUL, 403 one with `..`, or an absolute one: of `serveFile` only with `root`;
 * - 403 a file that may not be read;
 * - 404 what is not there, is no regular file, or lies outside the root (`code` is the system's: ENOENT, ENOTDIR,
 *   EISDIR, EINVAL for FIFOs, sockets and devices, EXDEV, ELOOP);
 * - 412 If-Match or If-Unmodified-Since do not hold; 416 no range can be satisfied, and `headers` has Content-Range;
 * - 500 everything else.
 */
export interface ServeError extends Error {
  status: number
  statusCode: number
  /** Whether `message` may be shown to the client. */
  expose: boolean
  /** Fields for the answer to have: Content-Range with 416. */
  headers?: Record<string, string>
  code?: string
}

/**
 * Answers a GET or HEAD with a file: type, caching, conditions (If-Match, If-None-Match, If-Modified-Since,
 * If-Unmodified-Since, If-Range), one range or several (multipart/byteranges). What the head describes is the very
 * descriptor that is sent. Who reloads (Cache-Control: no-cache) gets the file, not a 304. Other methods are not
 * refused, and answered as a GET without ranges: which to answer is the caller's to say.
 *
 * A small file in memory is opened, read and sent on the JavaScript thread, together with its head; whatever could wait
 * for a disk or a server never is.
 *
 * @param path A path of the file system, not a URL; with `root`, below it.
 * @returns Resolves when the body is in the kernel. Rejects with a {@link ServeError}, or with what `setHeaders` threw,
 *   before anything was sent; or with what befell the transfer, as `transferFile` does.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`: as a rejection, before any side effect.
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: of `maxAge`, likewise.
 */
export function serveFile<Res extends Response> (
  req: Request, res: Res, path: string, options?: ServeFileOptions<Res>
): Promise<Served>

/** `(req, res, next)`, for http, Connect, Express, polka, and what bridges to them. */
export interface StaticHandler<Res extends Response = Response> {
  (req: Request, res: Res, next?: (err?: ServeError | Error) => void): void
}

/**
 * A handler that answers with the files below `root`; a drop-in for `serve-static`.
 *
 * Names are resolved by the kernel (openat2(2), RESOLVE_BENEATH): neither `..` nor a symbolic link leads out of the
 * root. `root` stays a path: when it comes to mean another folder, the next request is served from that one.
 * FIFOs, devices and sockets are not found.
 *
 * What is not found goes to `next()`, errors to `next(err)`; without `next` they are answered.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: of `maxAge`
 */
export function serveStatic<Res extends Response> (root: string, options?: ServeStaticOptions<Res>): StaticHandler<Res>
