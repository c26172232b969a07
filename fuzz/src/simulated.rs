//! A kernel whose files are as long as files can be, without bytes of their own: each byte follows from where it is.
//! What it answers comes from a list of bytes; what it is given is compared with what was to be sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::sys::{self, Errno};
use crate::transfer::{Kernel, Part, Residency, Transfer};

/// So often in a row nothing is taken: a list that is read round and round may say so for ever.
const MOST_REFUSALS: u32 = 4;

/// So many answers are chosen, and then everything is taken: a byte at a time, the longest list would take years.
const MOST_CHOICES: usize = 4096;

/// A file.
#[derive(Debug)]
pub struct File {
    pub seed: u8,
    pub size: u64,
    /// The file system cannot tell what is in memory, and sendfile(2) would wait.
    pub is_opaque: bool,
    pub is_refused: AtomicBool,
}

impl File {
    pub fn byte(&self, offset: u64) -> u8 {
        (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ self.seed
    }

    /// Up to `len` bytes: those up to the end.
    pub fn bytes(&self, offset: u64, len: u64) -> Vec<u8> {
        let end = self.size.min(offset.saturating_add(len));
        (offset..end.max(offset)).map(|at| self.byte(at)).collect()
    }
}

/// A piece of what is to be sent.
enum Expected {
    Bytes(Vec<u8>),
    Region { file: Arc<File>, offset: u64, len: u64 },
}

impl Expected {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Region { len, .. } => *len,
        }
    }
}

/// One socket, and the files.
pub struct Simulated {
    expected: Vec<Expected>,
    /// Which of them, and how much of it, has come.
    at: (usize, u64),
    pub received: u64,
    choices: Vec<u8>,
    next: usize,
    refusals: u32,
    /// What was said to be in memory.
    pub known: (u64, u64),
    /// The errno that was answered for good.
    pub failed: Option<i32>,
}

impl Simulated {
    /// What a gather list is to become.
    pub fn new(parts: &[Part<File>], choices: Vec<u8>) -> Self {
        let expected = parts
            .iter()
            .map(|part| match part {
                Part::Bytes(bytes) => Expected::Bytes(bytes.clone()),
                Part::Region(region) => Expected::Region {
                    file: Arc::clone(&region.file),
                    offset: region.offset,
                    len: region.len,
                },
            })
            .collect();
        Self { expected, at: (0, 0), received: 0, choices, next: 0, refusals: 0, known: (0, 0), failed: None }
    }

    pub fn choice(&mut self) -> u8 {
        self.next += 1;
        if self.next > MOST_CHOICES {
            return 255;
        }
        self.choices.get(self.next % self.choices.len().max(1)).copied().unwrap_or(255)
    }

    pub fn is_complete(&self) -> bool {
        self.expected[self.at.0..].iter().map(Expected::len).sum::<u64>() == self.at.1
    }

    fn takes(&mut self, len: usize) -> sys::Result<usize> {
        if let Some(errno) = self.failed {
            return Err(Errno(errno));
        }
        let choice = self.choice();
        self.refusals = if choice <= 60 { self.refusals + 1 } else { 0 };
        match choice {
            0..=60 if self.refusals < MOST_REFUSALS => Err(Errno(libc::EAGAIN)),
            61 => {
                self.failed = Some(libc::EPIPE);
                Err(Errno(libc::EPIPE))
            }
            0..=120 => Ok(1),
            121..=200 => Ok((len / 255 * usize::from(choice)).max(1)),
            _ => Ok(len),
        }
    }

    /// The piece that comes next, with bytes in it.
    fn skip_spent(&mut self) {
        while self.expected.get(self.at.0).is_some_and(|piece| piece.len() == self.at.1) {
            self.at = (self.at.0 + 1, 0);
        }
    }

    fn receive_bytes(&mut self, mut bytes: &[u8]) {
        self.received += bytes.len() as u64;
        while !bytes.is_empty() {
            self.skip_spent();
            let (index, done) = self.at;
            let piece = self.expected.get(index).expect("no more than was to be sent");
            let len = (piece.len() - done).min(bytes.len() as u64) as usize;
            let (now, rest) = bytes.split_at(len);
            let same = match piece {
                Expected::Bytes(bytes) => bytes[done as usize..][..len] == *now,
                Expected::Region { file, offset, .. } => file.bytes(offset + done, len as u64) == now,
            };
            assert!(same, "bytes other than those that come next");
            self.at.1 += len as u64;
            bytes = rest;
        }
    }

    fn receive_region(&mut self, from: &File, at: u64, len: u64) {
        self.received += len;
        self.skip_spent();
        let (index, done) = self.at;
        match self.expected.get(index) {
            Some(Expected::Region { file, offset, len: whole }) => {
                assert!(std::ptr::eq(&raw const **file, from), "another file");
                assert_eq!(offset + done, at, "another place of the file");
                assert!(done + len <= *whole, "more than the region");
            }
            _ => panic!("a file where bytes come next"),
        }
        self.at.1 += len;
    }
}

impl Kernel for Simulated {
    type File = File;

    fn send(&mut self, bytes: &[u8], more: bool) -> sys::Result<usize> {
        assert!(!bytes.is_empty(), "an empty send");
        let taken = self.takes(bytes.len())?;
        self.receive_bytes(&bytes[..taken]);
        assert!(more || taken < bytes.len() || self.is_complete(), "the last bytes are not the last");
        Ok(taken)
    }

    fn sendfile(&mut self, file: &File, offset: u64, len: usize) -> sys::Result<usize> {
        assert!(len > 0, "an empty sendfile");
        let end = offset.checked_add(len as u64).expect("an end that is a number");
        assert!(!file.is_opaque, "sendfile of what may have to be waited for");
        assert!(offset >= self.known.0 && end <= self.known.1, "sendfile of what may not be in memory");
        let len = file.size.saturating_sub(offset).min(len as u64) as usize;
        if len == 0 {
            return Ok(0);
        }
        if self.choice() == 0 {
            return Err(Errno(libc::EINVAL));
        }
        let taken = self.takes(len)?;
        self.receive_region(file, offset, taken as u64);
        Ok(taken)
    }

    fn read_cached(
        &mut self,
        file: &File,
        offset: u64,
        len: usize,
        into: &mut Vec<u8>,
    ) -> sys::Result<usize> {
        assert!(len > 0, "an empty read");
        if file.is_opaque {
            return Err(Errno(libc::EOPNOTSUPP));
        }
        let len = match self.choice() {
            0..=80 => return Err(Errno(libc::EAGAIN)),
            81 => return Err(Errno(libc::EIO)),
            82..=130 => 1,
            _ => len as u64,
        };
        let bytes = file.bytes(offset, len);
        into.extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn resident(&mut self, file: &File, offset: u64, len: u64) -> Residency {
        match self.choice() {
            _ if file.is_opaque => Residency::Unknown,
            0..=100 => Residency::Disk,
            _ => {
                self.known = (offset, offset + len);
                Residency::Memory
            }
        }
    }

    fn refuse(&mut self, file: &File) {
        file.is_refused.store(true, Ordering::Relaxed);
    }

    fn refuses(&self, file: &File) -> bool {
        file.is_refused.load(Ordering::Relaxed)
    }
}

/// What is left of a list and what has gone are all of it, as far as a number can tell.
pub fn check_count(transfer: &Transfer<File>, total: u64, kernel: &Simulated) {
    assert_eq!(transfer.sent(), kernel.received, "what it says it sent");
    assert_eq!(transfer.remaining(), total - kernel.received, "what it says is left");
}
