/// <reference types="node" />

import type { Descriptor, Offset } from './index'

/**
 * `sendfile(outFd, inFd, off, len, callback)` as a promise of the bytes moved. Every error is a
 * rejection, those of arguments too.
 */
export function sendfile(outFd: Descriptor, inFd: Descriptor, off: Offset, len: number): Promise<number>
