//! The kernel as a transfer sees it: system calls on one socket.

use std::os::fd::AsRawFd;

use crate::file::File;
use crate::residency;
use crate::stats::{Counter, STATS};
use crate::sys;
use crate::transfer::{Kernel, Residency};

/// One socket, for as long as a transfer advances on it.
pub struct Socket<'a, S: AsRawFd> {
    socket: &'a S,
    /// Bytes of the lane that it advances on.
    lane: &'static Counter,
}

impl<'a, S: AsRawFd> Socket<'a, S> {
    /// On the JavaScript thread.
    pub fn inline(socket: &'a S) -> Self {
        Self { socket, lane: &STATS.inline_bytes }
    }

    /// On the reactor's thread.
    pub fn on_reactor(socket: &'a S) -> Self {
        Self { socket, lane: &STATS.reactor_bytes }
    }

    fn count(&self, kind: &Counter, answer: sys::Result<usize>) -> sys::Result<usize> {
        match answer {
            Ok(bytes) => {
                kind.add(bytes as u64);
                self.lane.add(bytes as u64);
            }
            Err(sys::Errno(libc::EAGAIN)) => STATS.would_blocks.add(1),
            Err(_) => {}
        }
        answer
    }
}

impl<S: AsRawFd> Kernel for Socket<'_, S> {
    type File = File;

    fn send(&mut self, bytes: &[u8], more: bool) -> sys::Result<usize> {
        self.count(&STATS.send_bytes, sys::send(self.socket, bytes, more))
    }

    fn sendfile(&mut self, file: &File, offset: u64, len: usize) -> sys::Result<usize> {
        self.count(&STATS.sendfile_bytes, sys::sendfile(self.socket, file, Some(offset as i64), len))
    }

    fn read_cached(
        &mut self,
        file: &File,
        offset: u64,
        len: usize,
        bytes: &mut Vec<u8>,
    ) -> sys::Result<usize> {
        sys::append_cached(file, offset as i64, len, bytes).or_else(|errno| {
            // tmpfs does not know the flag, and has nothing to wait for.
            if errno.0 == libc::EOPNOTSUPP && file.lies_in_memory() {
                return sys::append(file, offset as i64, len, bytes);
            }
            Err(errno)
        })
    }

    fn resident(&mut self, file: &File, offset: u64, len: u64) -> Residency {
        residency::resident(file, offset, len)
    }

    fn refuse(&mut self, file: &File) {
        file.set_copied();
    }

    fn refuses(&self, file: &File) -> bool {
        file.is_copied()
    }
}
