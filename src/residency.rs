//! Whether bytes of a file can be had without waiting for a disk.

use crate::file::File;
use crate::sys::{self, Errno};
use crate::transfer::Residency;

const PAGE: u64 = 4096;

/// Where pages cannot be counted, one is tried in so many bytes: the window that the kernel reads
/// ahead, and so evicts, is no smaller as a rule.
const STRIDE: u64 = 64 * 1024;

/// Asks the kernel, without waiting. Counting says how many pages are there (cachestat(2)), and trying
/// the last of them (`RWF_NOWAIT`) that it is not still being read.
pub fn resident(file: &File, offset: u64, len: u64) -> Residency {
    if file.lies_in_memory() {
        return Residency::Memory;
    }
    let last = offset + len - 1;
    if !file.is_uncounted() {
        match sys::cached_pages(file, offset, len) {
            Ok(pages) if pages < last / PAGE - offset / PAGE + 1 => return cold_or_unknown(file, offset),
            Ok(_) => return probe(file, last),
            Err(_) => file.set_uncounted(),
        }
    }
    for at in (offset..last).step_by(STRIDE as usize) {
        match probe(file, at) {
            Residency::Memory => {}
            other => return other,
        }
    }
    probe(file, last)
}

/// Pages are missing: perhaps because the file system has its own cache, and cannot tell.
fn cold_or_unknown(file: &File, offset: u64) -> Residency {
    match probe(file, offset) {
        Residency::Unknown => Residency::Unknown,
        Residency::Memory | Residency::Disk => Residency::Disk,
    }
}

fn probe(file: &File, offset: u64) -> Residency {
    match sys::read_cached(file, offset as i64, &mut [0]) {
        // Past the end: to find that out, nothing has to be waited for.
        Ok(_) => Residency::Memory,
        Err(Errno(libc::EAGAIN)) => Residency::Disk,
        Err(_) => Residency::Unknown,
    }
}
