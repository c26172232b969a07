//! What a disk's thread does for a transfer: brings the next piece of a file into memory.

use crate::disk::Disk;
use crate::file::File;
use crate::stats::STATS;
use crate::sys::{self, Refusal};
use crate::transfer::{Fetched, Wanted};

/// Read through at a time, to have it in the page cache.
const BUFFER: usize = 64 * 1024;

/// Fetches `wanted` on a disk's thread, and hands it to `then` there.
///
/// # Errors
/// The system refused the thread, and there is none yet.
pub fn fetch(wanted: Wanted<File>, then: impl FnOnce(Fetched) + Send + 'static) -> Result<(), Refusal> {
    STATS.fetches.add(1);
    let device = wanted.file.status().device;
    let work = move || {
        let fetched = read(&wanted);
        drop(wanted);
        then(fetched);
    };
    Disk::shared().submit(device, Box::new(work)).map_err(Refusal::of("pthread_create"))
}

fn read(wanted: &Wanted<File>) -> Fetched {
    let end = wanted.offset + wanted.len;
    let mut buffer = vec![0; if wanted.copied { wanted.len as usize } else { BUFFER }];
    let mut at = wanted.offset;
    let mut filled = 0;
    while at < end {
        let len = (end - at).min((buffer.len() - filled) as u64) as usize;
        match sys::read(wanted.file.as_ref(), at as i64, &mut buffer[filled..filled + len]) {
            Ok(0) => break,
            Ok(read) => {
                at += read as u64;
                filled += if wanted.copied { read } else { 0 };
            }
            // What was read before the error still goes out.
            Err(_) if at > wanted.offset => break,
            Err(errno) => return Fetched::Failed(errno),
        }
    }
    if wanted.copied || at == wanted.offset {
        buffer.truncate(filled);
        return Fetched::Copied(buffer);
    }
    Fetched::Cached(at - wanted.offset)
}
