//! System calls, to the simulated kernel.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, RawFd};

use crate::inode::Kind;
use crate::kernel::{self, Open};

#[path = "../../../src/sys/errno.rs"]
mod errno;

pub use errno::{Errno, Refusal, Result};

/// A number that is closed with its owner.
#[derive(Debug)]
pub struct OwnedFd(RawFd);

impl OwnedFd {
    pub fn new(fd: RawFd) -> Self {
        Self(fd)
    }
}

impl AsRawFd for OwnedFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // What is taken down with its threads, when a run is over or has failed, closes nothing.
        if !std::thread::panicking() && kernel::is_running() {
            kernel::call(|kernel| kernel.close(self.0));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    pub size: u64,
    pub modified: i128,
    pub linked: bool,
}

pub type Mount = u64;

pub fn send(socket: &impl AsRawFd, bytes: &[u8], _more: bool) -> Result<usize> {
    kernel::call(|kernel| kernel.send(socket.as_raw_fd(), bytes))
}

pub fn sendfile(
    output: &impl AsRawFd,
    input: &impl AsRawFd,
    offset: Option<i64>,
    len: usize,
) -> Result<usize> {
    let offset = u64::try_from(offset.unwrap_or(-1)).map_err(|_| Errno(libc::ESPIPE))?;
    kernel::call(|kernel| kernel.sendfile(output.as_raw_fd(), input.as_raw_fd(), offset, len))
}

pub fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    kernel::call(|kernel| kernel.duplicate(fd)).map(OwnedFd)
}

pub fn read(file: &impl AsRawFd, offset: i64, buffer: &mut [u8]) -> Result<usize> {
    kernel::call(|kernel| {
        kernel.has_waited = true;
        kernel.read(file.as_raw_fd(), offset as u64, buffer)
    })
}

pub fn read_cached(file: &impl AsRawFd, offset: i64, buffer: &mut [u8]) -> Result<usize> {
    kernel::call(|kernel| kernel.read_cached(file.as_raw_fd(), offset as u64, buffer))
}

pub fn append(file: &impl AsRawFd, offset: i64, len: usize, bytes: &mut Vec<u8>) -> Result<usize> {
    let read = |room: &mut [u8]| kernel::call(|kernel| kernel.read(file.as_raw_fd(), offset as u64, room));
    append_with(bytes, len, read)
}

pub fn append_cached(file: &impl AsRawFd, offset: i64, len: usize, bytes: &mut Vec<u8>) -> Result<usize> {
    append_with(bytes, len, |room| read_cached(file, offset, room))
}

fn append_with(
    bytes: &mut Vec<u8>,
    len: usize,
    read: impl FnOnce(&mut [u8]) -> Result<usize>,
) -> Result<usize> {
    let start = bytes.len();
    bytes.resize(start + len, 0);
    let answer = read(&mut bytes[start..]);
    bytes.truncate(start + answer.unwrap_or(0));
    answer
}

pub fn cached_pages(file: &impl AsRawFd, offset: u64, len: u64) -> Result<u64> {
    kernel::call(|kernel| kernel.cached_pages(file.as_raw_fd(), offset, len))
}

pub fn status(file: &impl AsRawFd) -> Result<Status> {
    kernel::with(|kernel| {
        let inode = kernel.inode(file.as_raw_fd())?;
        let (device, size) = (kernel.inodes[inode].device, kernel.inodes[inode].len);
        Ok(Status { device, inode: inode as u64, mode: libc::S_IFREG, size, modified: 0, linked: true })
    })
}

/// A magic number of statfs(2): FUSE, tmpfs, ext4.
pub fn file_system(file: &impl AsRawFd) -> Result<i64> {
    kernel::with(|kernel| {
        let inode = kernel.inode(file.as_raw_fd())?;
        Ok(match kernel.inodes[inode].kind {
            Kind::Opaque => 0x6573_5546,
            Kind::Memory => 0x0102_1994,
            Kind::Counted | Kind::Uncounted | Kind::Unsendable => 0xef53,
        })
    })
}

/// A descriptor of a file that is there.
pub fn open_inode(inode: usize) -> OwnedFd {
    OwnedFd(kernel::with(|kernel| kernel.open(Open::File(inode))))
}

pub fn block_signals() {}

pub fn be_considerate() {}

// No path leads anywhere: the simulation hands descriptors over.

pub fn open(_path: &CStr) -> Result<OwnedFd> {
    Err(Errno(libc::ENOENT))
}

pub fn open_cached(path: &CStr) -> Result<OwnedFd> {
    open(path)
}

pub fn find_cached(path: &CStr) -> Result<OwnedFd> {
    open(path)
}

pub fn open_folder(path: &CStr, _cached: bool) -> Result<OwnedFd> {
    open(path)
}

pub fn open_straight(path: &CStr) -> Result<OwnedFd> {
    open(path)
}

pub fn mount_of(_file: &impl AsRawFd) -> Result<Option<Mount>> {
    Ok(None)
}
