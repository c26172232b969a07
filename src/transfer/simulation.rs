//! Transfers over a simulated kernel: random lists, short writes, EAGAIN, cold and evicted pages,
//! files that shrink, and errors at any step.

use super::*;
use crate::sys;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
struct File {
    bytes: Vec<u8>,
    /// The file system cannot tell what is in memory, and sendfile(2) would wait.
    opaque: bool,
    refused: AtomicBool,
}

fn file(len: usize, seed: u8, opaque: bool) -> Arc<File> {
    let bytes = (0..len).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ seed).collect();
    Arc::new(File { bytes, opaque, refused: AtomicBool::new(false) })
}

/// What the kernel does next, from a list of random numbers that is read round and round.
struct Simulated {
    received: Vec<u8>,
    choices: Vec<u8>,
    next: usize,
    /// errno, and after how many calls of send or sendfile.
    fails: Option<(i32, usize)>,
    calls: usize,
    /// How often in a row the socket took nothing: a list that is read round and round may say so for ever.
    refusals: u32,
    /// sendfile(2) of something that was not said to be in memory.
    waited: bool,
    known: (u64, u64),
}

impl Simulated {
    fn new(choices: Vec<u8>) -> Self {
        Self {
            received: Vec::new(),
            choices,
            next: 0,
            fails: None,
            calls: 0,
            refusals: 0,
            waited: false,
            known: (0, 0),
        }
    }

    fn choice(&mut self) -> u8 {
        self.next += 1;
        self.choices.get(self.next % self.choices.len().max(1)).copied().unwrap_or(255)
    }

    /// How many of `len` bytes the socket takes, or what it answers.
    fn takes(&mut self, len: usize) -> sys::Result<usize> {
        self.calls += 1;
        if let Some((errno, after)) = self.fails {
            if self.calls > after {
                return Err(Errno(errno));
            }
        }
        let choice = self.choice();
        self.refusals = if choice <= 60 { self.refusals + 1 } else { 0 };
        match choice {
            0..=60 if self.refusals < 4 => Err(Errno(libc::EAGAIN)),
            0..=120 => Ok(1),
            choice @ 121..=200 => Ok((len * usize::from(choice) / 255).max(1)),
            _ => Ok(len),
        }
    }
}

impl Kernel for Simulated {
    type File = File;

    fn send(&mut self, bytes: &[u8], _more: bool) -> sys::Result<usize> {
        assert!(!bytes.is_empty(), "an empty send");
        let taken = self.takes(bytes.len())?;
        self.received.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn sendfile(&mut self, file: &File, offset: u64, len: usize) -> sys::Result<usize> {
        assert!(len > 0, "an empty sendfile");
        let end = offset + len as u64;
        self.waited |= file.opaque || offset < self.known.0 || end > self.known.1;
        let start = (offset as usize).min(file.bytes.len());
        let bytes = &file.bytes[start..(start + len).min(file.bytes.len())];
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.choice() == 0 {
            return Err(Errno(libc::EINVAL));
        }
        let taken = self.takes(bytes.len())?;
        self.received.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn read_cached(
        &mut self,
        file: &File,
        offset: u64,
        len: usize,
        into: &mut Vec<u8>,
    ) -> sys::Result<usize> {
        if file.opaque {
            return Err(Errno(libc::EOPNOTSUPP));
        }
        let start = (offset as usize).min(file.bytes.len());
        let bytes = &file.bytes[start..(start + len).min(file.bytes.len())];
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.choice() {
            0..=80 => Err(Errno(libc::EAGAIN)),
            81..=130 => {
                into.push(bytes[0]);
                Ok(1)
            }
            _ => {
                into.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn resident(&mut self, file: &File, offset: u64, len: u64) -> Residency {
        match self.choice() {
            _ if file.opaque => Residency::Unknown,
            0..=100 => Residency::Disk,
            _ => {
                self.known = (offset, offset + len);
                Residency::Memory
            }
        }
    }

    fn refuse(&mut self, file: &File) {
        file.refused.store(true, Ordering::Relaxed);
    }

    fn refuses(&self, file: &File) -> bool {
        file.refused.load(Ordering::Relaxed)
    }
}

/// Plays the reactor and the disk until the transfer ends.
fn run(transfer: &mut Transfer<File>, kernel: &mut Simulated, budget: u64) -> Result<(), Failure> {
    for _ in 0..2_000_000 {
        let before = transfer.sent();
        let mut step = transfer.advance(kernel, budget);
        assert!(transfer.sent() - before <= budget + SMALL, "more than the budget");
        if matches!(step, Step::Tail) {
            assert!(transfer.remaining <= TAIL && transfer.remaining > 0);
            step = transfer.finish(kernel);
            assert!(!matches!(step, Step::Cold(_) | Step::Tail | Step::Yield), "a tail lies in memory");
        }
        match step {
            Step::Done => return Ok(()),
            Step::Failed(failure) => return Err(failure),
            Step::WouldBlock | Step::Yield => {}
            Step::Tail => unreachable!("finished above"),
            Step::Cold(Wanted { file, offset, len, copied }) => {
                assert!(len > 0);
                let start = (offset as usize).min(file.bytes.len());
                let bytes = &file.bytes[start..(start + len as usize).min(file.bytes.len())];
                transfer.take(if copied {
                    Fetched::Copied(bytes.to_vec())
                } else {
                    kernel.known = (offset, offset + len);
                    Fetched::Cached(len)
                })?;
            }
        }
    }
    panic!("the transfer does not end: {transfer:?}", transfer = transfer.parts.len());
}

#[derive(Clone, Debug)]
enum Planned {
    Bytes(Vec<u8>),
    Region { file: usize, offset: usize, len: usize },
}

const FILE_LENGTHS: [usize; 3] = [3 * 1024 * 1024 + 17, 90_000, 5_000];

fn planned() -> impl Strategy<Value = Planned> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6000).prop_map(Planned::Bytes),
        (0..FILE_LENGTHS.len(), any::<u32>(), any::<u32>()).prop_map(|(file, offset, len)| {
            let offset = offset as usize % FILE_LENGTHS[file];
            Planned::Region { file, offset, len: len as usize % (FILE_LENGTHS[file] - offset + 1) }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_goes_once_and_in_order(
        plan in proptest::collection::vec(planned(), 0..8),
        choices in proptest::collection::vec(any::<u8>(), 1..300),
        opaque in any::<u8>(),
        holds_tail in any::<bool>(),
        budget in prop_oneof![Just(1_u64 << 20), 1_u64..100_000],
        fails in proptest::option::weighted(0.2, (prop_oneof![Just(libc::EPIPE), Just(libc::ECONNRESET)], 0_usize..20)),
    ) {
        // At least one choice lets bytes through, or the simulation would not end.
        let mut choices = choices;
        choices.push(255);
        let files: Vec<_> =
            (0..FILE_LENGTHS.len()).map(|i| file(FILE_LENGTHS[i], i as u8, opaque >> i & 1 == 1)).collect();
        let mut expected = Vec::new();
        let mut parts = Vec::new();
        for part in plan {
            match part {
                Planned::Bytes(bytes) => {
                    expected.extend_from_slice(&bytes);
                    parts.push(Part::Bytes(bytes));
                }
                Planned::Region { file, offset, len } => {
                    expected.extend_from_slice(&files[file].bytes[offset..offset + len]);
                    let (offset, len) = (offset as u64, len as u64);
                    parts.push(Part::Region(Region { file: Arc::clone(&files[file]), offset, len }));
                }
            }
        }
        let mut kernel = Simulated::new(choices);
        kernel.fails = fails;
        let mut transfer = Transfer::new(parts, holds_tail, true);
        let outcome = run(&mut transfer, &mut kernel, budget);
        prop_assert_eq!(transfer.sent(), kernel.received.len() as u64, "what it says it sent");
        prop_assert!(!kernel.waited, "sendfile of bytes that may not be in memory");
        match outcome {
            Ok(()) => prop_assert!(kernel.received == expected),
            Err(Failure::Send(Errno(errno)) | Failure::Sendfile(Errno(errno))) => {
                prop_assert_eq!(Some(errno), fails.map(|(errno, _)| errno));
                prop_assert!(expected.starts_with(&kernel.received));
            }
            Err(failure) => prop_assert!(false, "{failure:?}"),
        }
        drop(transfer);
        for file in files {
            prop_assert_eq!(Arc::strong_count(&file), 1, "its files are released");
        }
    }

    #[test]
    fn a_file_that_is_shorter_than_promised_fails_after_its_bytes(
        choices in proptest::collection::vec(any::<u8>(), 1..100),
        len in 0_usize..200_000,
        missing in 1_u64..200_000,
        opaque in any::<bool>(),
        holds_tail in any::<bool>(),
    ) {
        let mut choices = choices;
        choices.push(255);
        let file = file(len, 1, opaque);
        let region = Region { file: Arc::clone(&file), offset: 0, len: len as u64 + missing };
        let mut kernel = Simulated::new(choices);
        let mut transfer = Transfer::new(vec![Part::Bytes(b"head".to_vec()), Part::Region(region)], holds_tail, true);
        prop_assert_eq!(run(&mut transfer, &mut kernel, 1 << 20), Err(Failure::Truncated));
        let mut expected = b"head".to_vec();
        expected.extend_from_slice(&file.bytes);
        prop_assert!(expected.starts_with(&kernel.received));
    }
}

#[test]
fn a_head_and_a_small_file_leave_in_one_send() {
    let region = Region { file: file(5000, 0, false), offset: 0, len: 5000 };
    let mut kernel = Simulated::new(vec![255]);
    let mut transfer = Transfer::new(vec![Part::Bytes(b"head".to_vec()), Part::Region(region)], false, true);
    assert!(matches!(transfer.advance(&mut kernel, 1 << 20), Step::Done));
    assert_eq!(kernel.calls, 1);
    assert_eq!(kernel.received.len(), 5004);
}

#[test]
fn a_head_waits_for_a_cold_body() {
    let region = Region { file: file(500_000, 0, false), offset: 0, len: 500_000 };
    let mut kernel = Simulated::new(vec![0]);
    let mut transfer = Transfer::new(vec![Part::Bytes(b"head".to_vec()), Part::Region(region)], false, true);
    assert!(matches!(transfer.advance(&mut kernel, 1 << 20), Step::Cold(_)));
    assert_eq!(kernel.calls, 0);
}

#[test]
fn a_file_that_answers_eagain_for_a_writable_socket_is_copied() {
    let file = file(500_000, 0, false);
    let region = Region { file: Arc::clone(&file), offset: 0, len: 500_000 };
    let mut kernel = Simulated::new(vec![150]);
    kernel.fails = Some((libc::EAGAIN, 0));
    let mut transfer = Transfer::new(vec![Part::Region(region)], false, true);
    for _ in 0..BARREN_TURNS {
        assert!(matches!(transfer.advance(&mut kernel, 1 << 20), Step::WouldBlock));
    }
    assert!(matches!(transfer.advance(&mut kernel, 1 << 20), Step::Cold(Wanted { copied: true, .. })));
    kernel.fails = None;
    assert_eq!(run(&mut transfer, &mut kernel, 1 << 20), Ok(()));
    assert!(kernel.received == file.bytes);
}

#[test]
fn a_piece_that_is_evicted_again_and_again_is_kept_in_memory() {
    let region = Region { file: file(500_000, 0, false), offset: 0, len: 500_000 };
    let mut kernel = Simulated::new(vec![0]);
    let mut transfer = Transfer::new(vec![Part::Region(region)], false, true);
    for copied in [false, false, true] {
        match transfer.advance(&mut kernel, 1 << 20) {
            Step::Cold(wanted) => assert_eq!(wanted.copied, copied),
            step => panic!("{step:?}"),
        }
    }
}
