//! A gather list on its way into a socket: bytes and file regions, in order.
//!
//! The state machine knows no thread, no epoll and no Node. [`Transfer::advance`] moves what can be
//! moved without waiting, through a [`Kernel`], and says what it waits for.

mod kernel;
#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::sync::Arc;

pub use kernel::{Kernel, Residency};

use crate::sys::{Errno, Refusal};

/// Up to this size a region is read and leaves with the bytes before it in one send(2): for so little,
/// a second system call costs more than the copy.
pub const SMALL: u64 = 64 * 1024;

/// Most bytes that are held back for the JavaScript thread to send, so that a response is complete for
/// the peer and for Node in the same tick.
pub const TAIL: u64 = 4 * 1024;

/// What one sendfile(2) is asked for, and the disk threads bring into memory, at a time.
pub const PIECE: u64 = 1024 * 1024;

/// What is read into memory of ours at a time, where a file cannot be sent from the page cache.
pub const COPIED_PIECE: u64 = 256 * 1024;

/// So often a socket that is said to be writable may answer EAGAIN without having taken a byte: then
/// it is the file that answers so.
const BARREN_TURNS: u32 = 16;

/// So often a piece may be brought into the page cache and found evicted: then it is kept in memory.
const EVICTIONS: u32 = 2;

/// One part of a gather list.
#[derive(Debug)]
pub enum Part<F> {
    /// Bytes, already in memory.
    Bytes(Vec<u8>),
    /// A piece of a file.
    Region(Region<F>),
}

/// A piece of a file: what it owns, the file stays open for.
#[derive(Debug)]
pub struct Region<F> {
    /// The file, shared by all its regions.
    pub file: Arc<F>,
    /// Where the region starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u64,
}

/// Where a transfer stands after [`Transfer::advance`].
#[derive(Debug)]
pub enum Step<F> {
    /// All bytes are in the kernel.
    Done,
    /// The last bytes are in memory and wait for [`Transfer::finish`].
    Tail,
    /// The socket takes no more for now.
    WouldBlock,
    /// The budget is used up, and there is more that can be done.
    Yield,
    /// The next bytes are not in memory.
    Cold(Wanted<F>),
    /// It cannot go on.
    Failed(Failure),
}

/// What a transfer asks the disk for.
#[derive(Debug)]
pub struct Wanted<F> {
    /// The file.
    pub file: Arc<F>,
    /// Where.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// Whether to hand the bytes over, rather than have them in the page cache.
    pub copied: bool,
}

/// What the disk answers.
#[derive(Debug)]
pub enum Fetched {
    /// So many of them are in the page cache.
    Cached(u64),
    /// Here they are: all of them, or those up to the end of the file.
    Copied(Vec<u8>),
    /// They could not be read.
    Failed(Errno),
}

/// Why a transfer cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// sendfile(2) failed.
    Sendfile(Errno),
    /// send(2) failed.
    Send(Errno),
    /// Reading the file failed.
    Read(Errno),
    /// The file ended before the region did.
    Truncated,
    /// The system would not let it wait for the socket, or the disk.
    Wait(Refusal),
}

/// A gather list, and how far it has come.
#[derive(Debug)]
pub struct Transfer<F> {
    parts: VecDeque<Part<F>>,
    /// Of the part in front, when that is bytes: how many have gone.
    front: usize,
    remaining: u64,
    sent: u64,
    holds_tail: bool,
    /// Whether a file that the kernel refuses to send may be read and sent instead.
    may_copy: bool,
    /// Turns in a row that ended in EAGAIN and moved nothing.
    barren: u32,
    /// The piece that the disk was last asked for, and how often.
    fetched: (u64, u32),
    /// Up to here the bytes of the next region are known to be in memory.
    ready: u64,
}

impl<F> Transfer<F> {
    /// A gather list. `holds_tail`: the last bytes are left for [`Transfer::finish`]; `may_copy`: a file that
    /// the kernel refuses to send is read and sent instead.
    pub fn new(parts: Vec<Part<F>>, holds_tail: bool, may_copy: bool) -> Self {
        let parts = VecDeque::from(parts);
        let remaining = parts
            .iter()
            .map(|part| match part {
                Part::Bytes(bytes) => bytes.len() as u64,
                Part::Region(region) => region.len,
            })
            .fold(0, u64::saturating_add);
        Self {
            parts,
            front: 0,
            remaining,
            sent: 0,
            holds_tail,
            may_copy,
            barren: 0,
            fetched: (0, 0),
            ready: 0,
        }
    }

    /// Bytes that are in the kernel.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that are not.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether its last bytes are left for [`Transfer::finish`].
    pub fn holds_tail(&self) -> bool {
        self.holds_tail
    }

    /// From now on the last bytes are left for [`Transfer::finish`], or no longer.
    pub fn set_holds_tail(&mut self, holds_tail: bool) {
        self.holds_tail = holds_tail;
    }

    /// Moves up to about `budget` bytes without waiting for anything.
    pub fn advance<K: Kernel<File = F>>(&mut self, kernel: &mut K, budget: u64) -> Step<F> {
        let start = self.sent;
        loop {
            self.drop_spent();
            let held = if self.holds_tail { TAIL.min(self.remaining) } else { 0 };
            if self.remaining == held {
                match self.gather_tail(kernel) {
                    Ok(()) if self.parts.is_empty() => return Step::Done,
                    Ok(()) => return Step::Tail,
                    Err(step) => return step,
                }
            }
            let used = self.sent - start;
            if used >= budget {
                return Step::Yield;
            }
            let allowance = (self.remaining - held).min(budget - used);
            match self.send_front(kernel, allowance) {
                Ok(()) => {}
                Err(Step::WouldBlock) => {
                    self.would_block(kernel, self.sent > start);
                    return Step::WouldBlock;
                }
                Err(step) => return step,
            }
        }
    }

    /// Sends the tail that [`Step::Tail`] announced, in one call: all of it, or what the socket takes.
    pub fn finish<K: Kernel<File = F>>(&mut self, kernel: &mut K) -> Step<F> {
        self.holds_tail = false;
        let step = self.advance(kernel, u64::MAX);
        self.holds_tail = true;
        step
    }

    /// Takes what the disk answered to [`Step::Cold`].
    ///
    /// # Errors
    /// The failure that ends the transfer.
    pub fn take(&mut self, answer: Fetched) -> Result<(), Failure> {
        let Some(index) = self.next_region() else {
            return Ok(());
        };
        let Part::Region(region) = &mut self.parts[index] else {
            return Ok(());
        };
        match answer {
            Fetched::Cached(bytes) => self.ready = region.offset + bytes,
            Fetched::Copied(bytes) if bytes.is_empty() => return Err(Failure::Truncated),
            Fetched::Copied(mut bytes) => {
                bytes.truncate(usize::try_from(region.len).unwrap_or(usize::MAX));
                region.offset += bytes.len() as u64;
                region.len -= bytes.len() as u64;
                self.parts.insert(index, Part::Bytes(bytes));
            }
            Fetched::Failed(errno) => return Err(Failure::Read(errno)),
        }
        Ok(())
    }

    /// Parts that have nothing left.
    fn drop_spent(&mut self) {
        loop {
            match self.parts.front() {
                Some(Part::Bytes(bytes)) if self.front == bytes.len() => self.front = 0,
                Some(Part::Region(region)) if region.len == 0 => {
                    self.ready = 0;
                    self.fetched = (0, 0);
                }
                _ => return,
            }
            self.parts.pop_front();
        }
    }

    fn next_region(&self) -> Option<usize> {
        self.parts.iter().position(|part| matches!(part, Part::Region(region) if region.len > 0))
    }

    /// Sends from the part in front, at most `allowance` bytes of it.
    fn send_front<K: Kernel<File = F>>(&mut self, kernel: &mut K, allowance: u64) -> Result<(), Step<F>> {
        match self.next_region() {
            Some(0) => self.prepare(kernel, 0)?,
            // A head leaves only when its body can follow: it may well fit into the same packet.
            Some(1) if self.sent == 0 => self.prepare(kernel, 1)?,
            _ => {}
        }
        let sent = match self.parts.front() {
            None => return Ok(()),
            Some(Part::Bytes(bytes)) => {
                let bytes = &bytes[self.front..];
                let len = bytes.len().min(usize::try_from(allowance).unwrap_or(usize::MAX));
                let more = self.remaining > len as u64;
                let sent = kernel.send(&bytes[..len], more).map_err(|errno| stop(errno, Failure::Send))?;
                self.front += sent;
                sent as u64
            }
            Some(Part::Region(_)) => self.sendfile(kernel, allowance)?,
        };
        self.sent += sent;
        self.remaining -= sent;
        Ok(())
    }

    fn sendfile<K: Kernel<File = F>>(&mut self, kernel: &mut K, allowance: u64) -> Result<u64, Step<F>> {
        let Some(Part::Region(region)) = self.parts.front_mut() else {
            return Ok(0);
        };
        let len = region.len.min(allowance).min(self.ready.saturating_sub(region.offset));
        match kernel.sendfile(&region.file, region.offset, len as usize) {
            Ok(0) => Err(Step::Failed(Failure::Truncated)),
            Ok(sent) => {
                region.offset += sent as u64;
                region.len -= sent as u64;
                Ok(sent as u64)
            }
            Err(Errno(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::EPERM)) if self.may_copy => {
                kernel.refuse(&region.file);
                Ok(0)
            }
            Err(errno) => Err(stop(errno, Failure::Sendfile)),
        }
    }

    /// Sees to it that the next bytes of a region can be sent without waiting for a disk.
    fn prepare<K: Kernel<File = F>>(&mut self, kernel: &mut K, index: usize) -> Result<(), Step<F>> {
        let Part::Region(region) = &self.parts[index] else {
            return Ok(());
        };
        if region.len <= SMALL {
            return self.read_small(kernel, index);
        }
        if kernel.refuses(&region.file) {
            return Err(self.fetch(index, true));
        }
        if region.offset < self.ready {
            return Ok(());
        }
        let piece = region.len.min(PIECE);
        match kernel.resident(&region.file, region.offset, piece) {
            Residency::Memory => {
                self.ready = region.offset + piece;
                Ok(())
            }
            Residency::Disk => Err(self.fetch(index, false)),
            Residency::Unknown => {
                kernel.refuse(&region.file);
                Err(self.fetch(index, true))
            }
        }
    }

    /// Turns a small region into bytes, joined to those that stand before it.
    fn read_small<K: Kernel<File = F>>(&mut self, kernel: &mut K, index: usize) -> Result<(), Step<F>> {
        let (before, from) = self.parts.make_contiguous().split_at_mut(index);
        let Some(Part::Region(region)) = from.first_mut() else {
            return Ok(());
        };
        if kernel.refuses(&region.file) {
            return Err(self.fetch(index, true));
        }
        let mut own = Vec::new();
        let (bytes, joined) = match before.last_mut() {
            Some(Part::Bytes(bytes)) => (bytes, true),
            _ => (&mut own, false),
        };
        let answer = kernel.read_cached(&region.file, region.offset, region.len as usize, bytes);
        let read = answer.unwrap_or(0);
        region.offset += read as u64;
        region.len -= read as u64;
        if matches!(answer, Err(Errno(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM))) {
            kernel.refuse(&region.file);
        }
        if !joined && read > 0 {
            self.parts.insert(index, Part::Bytes(own));
        }
        match answer {
            Ok(0) => Err(Step::Failed(Failure::Truncated)),
            Ok(_) => Ok(()),
            Err(Errno(libc::EAGAIN)) => Err(self.fetch(index, false)),
            Err(Errno(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM)) => {
                Err(self.fetch(index, true))
            }
            Err(errno) => Err(Step::Failed(Failure::Read(errno))),
        }
    }

    /// Asks the disk for the next piece of a region.
    fn fetch(&mut self, index: usize, copied: bool) -> Step<F> {
        let Part::Region(region) = &self.parts[index] else {
            return Step::Yield;
        };
        let times = if self.fetched.0 == region.offset { self.fetched.1 + 1 } else { 1 };
        self.fetched = (region.offset, times);
        let copied = copied || times > EVICTIONS;
        let piece = if copied { COPIED_PIECE } else { PIECE };
        Step::Cold(Wanted {
            file: Arc::clone(&region.file),
            offset: region.offset,
            len: region.len.min(piece),
            copied,
        })
    }

    /// Reads what is left of regions into memory, now that it is little.
    fn gather_tail<K: Kernel<File = F>>(&mut self, kernel: &mut K) -> Result<(), Step<F>> {
        while let Some(index) = self.next_region() {
            self.read_small(kernel, index)?;
            self.parts.retain(|part| !matches!(part, Part::Region(region) if region.len == 0));
        }
        Ok(())
    }

    /// The socket takes no more. While it waits, what is in memory may leave it.
    fn would_block<K: Kernel<File = F>>(&mut self, kernel: &mut K, moved: bool) {
        self.ready = 0;
        self.barren = if moved { 0 } else { self.barren + 1 };
        if self.barren < BARREN_TURNS {
            return;
        }
        if let Some(Part::Region(region)) = self.parts.front() {
            kernel.refuse(&region.file);
        }
    }
}

fn stop<F>(errno: Errno, failure: impl Fn(Errno) -> Failure) -> Step<F> {
    if errno.0 == libc::EAGAIN {
        Step::WouldBlock
    } else {
        Step::Failed(failure(errno))
    }
}
