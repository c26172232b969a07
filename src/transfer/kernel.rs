//! What a transfer needs of the system. A trait, so that tests drive it with a simulated one.

use crate::sys::Result;

/// Whether bytes of a file can be had without waiting for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// They are in memory.
    Memory,
    /// They are not, or not all of them.
    Disk,
    /// The file system cannot tell.
    Unknown,
}

/// The system calls of one transfer: its socket is the kernel's own affair.
pub trait Kernel {
    /// An open file.
    type File;

    /// send(2), without waiting; `more`: further bytes follow at once.
    fn send(&mut self, bytes: &[u8], more: bool) -> Result<usize>;

    /// sendfile(2) of bytes that are in memory.
    fn sendfile(&mut self, file: &Self::File, offset: u64, len: usize) -> Result<usize>;

    /// Reads up to `len` bytes, those that are in memory, and puts them behind `bytes`: `EAGAIN` when none is,
    /// `EOPNOTSUPP` when the file system cannot tell.
    fn read_cached(
        &mut self,
        file: &Self::File,
        offset: u64,
        len: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<usize>;

    /// Whether these bytes are in memory.
    fn resident(&mut self, file: &Self::File, offset: u64, len: u64) -> Residency;

    /// Remembers that this file cannot be sent from the page cache.
    fn refuse(&mut self, file: &Self::File);

    /// Whether that was said of it.
    fn refuses(&self, file: &Self::File) -> bool;
}
