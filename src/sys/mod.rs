//! System calls and Node-API calls without a safe wrapper elsewhere: one thin function each.
//!
//! # Safety
//! This is the only module that may contain `unsafe`. Descriptor numbers that come from JavaScript
//! are the caller's business: the kernel checks that a number is open, and answers `EBADF` if not.
#![allow(unsafe_code, reason = "the one module where the addon meets C; every block states why it is sound")]

mod beneath;
mod errno;
mod linux;
mod node;

pub use beneath::{
    find_beneath, find_cached, is_straight, mount_of, open_again, open_beneath, open_cached, open_folder,
    open_straight, Mount, Resolve,
};
pub use errno::{Errno, Refusal, Result};
pub use linux::{
    append, append_cached, be_considerate, block_signals, cached_pages, duplicate, file_system, open,
    position, push, read, read_cached, reset, send, sendfile, set_position, shut_down, status,
    unacknowledged, Status,
};
pub use node::{hold_loop, release_loop, write_numbers};
pub use std::os::fd::OwnedFd;
