//! System calls and Node-API calls without a safe wrapper elsewhere: one thin function each.
//!
//! # Safety
//! This is the only module that may contain `unsafe`. Descriptor numbers that come from JavaScript
//! are the caller's business: the kernel checks that a number is open, and answers `EBADF` if not.
#![allow(unsafe_code, reason = "the one module where the addon meets C; every block states why it is sound")]

mod beneath;
mod linux;
mod node;

pub use beneath::{
    find_beneath, find_cached, is_straight, mount_of, open_again, open_beneath, open_cached, open_folder,
    open_straight, Mount, Resolve,
};
pub use linux::{
    append, append_cached, be_considerate, block_signals, cached_pages, duplicate, file_system, open,
    position, push, read, read_cached, reset, send, sendfile, set_position, shut_down, status,
    unacknowledged, Status,
};
pub use node::{hold_loop, release_loop, write_numbers};

/// A positive `errno`, as the kernel gave it (errno(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The errno that the last system call of this thread left behind.
    fn last() -> Self {
        Self::from(std::io::Error::last_os_error())
    }
}

impl From<std::io::Error> for Errno {
    /// An error that carries no OS number is reported as `EIO`.
    fn from(error: std::io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// What a system call answers.
pub type Result<T> = std::result::Result<T, Errno>;

/// Why the system would not even begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it answered.
    pub errno: Errno,
    /// Which call was refused.
    pub syscall: &'static str,
}

impl Refusal {
    /// What `syscall` answered.
    pub fn of(syscall: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { errno, syscall }
    }

    /// Duplicating finds out first what `sendfile(2)` would have said of a number that is not open.
    pub fn of_sendfile(errno: Errno) -> Self {
        let syscall = if errno.0 == libc::EBADF { "sendfile" } else { "dup" };
        Self { errno, syscall }
    }
}
