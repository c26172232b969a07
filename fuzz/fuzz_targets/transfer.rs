//! Gather lists over a simulated kernel: parts of any number and length, up to the end of the largest file, while the
//! socket, the page cache and the disk answer as they like. Every byte goes once, and in order.
#![no_main]

use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sendfile_native_fuzz::simulated::{check_count, File, Simulated};
use sendfile_native_fuzz::sys::Errno;
use sendfile_native_fuzz::transfer::{
    Failure, Fetched, Part, Region, Step, Transfer, Wanted, COPIED_PIECE, PIECE, SMALL, TAIL,
};

const END_OF_FILES: u64 = i64::MAX as u64;

/// So many steps of one list are looked at: the longest would take years.
const STEPS: usize = 400;

/// So many bytes likewise.
const MOST_BYTES: u64 = 8 << 20;

/// What the engine sends of one list in a row.
const MOST_BUDGET: u32 = 1 << 20;

/// So many in a row may send nothing: while pieces are fetched, evicted, and fetched again.
const BARREN_STEPS: usize = 64;

#[derive(Arbitrary, Debug)]
struct Input {
    files: [(Size, bool); 2],
    parts: Vec<Planned>,
    choices: Vec<u8>,
    budget: u32,
    holds_tail: bool,
    may_copy: bool,
}

#[derive(Arbitrary, Debug)]
enum Size {
    Little(u16),
    Some(u32),
    Any(u64),
}

impl Size {
    fn get(&self) -> u64 {
        match *self {
            Self::Little(size) => u64::from(size),
            Self::Some(size) => u64::from(size),
            Self::Any(size) => size & END_OF_FILES,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Planned {
    Bytes(Vec<u8>),
    Region {
        second: bool,
        offset: Size,
        len: Size,
    },
    /// As much of the file as there is from here, and a few bytes more or less.
    Rest {
        second: bool,
        from: Size,
        more: i8,
    },
}

fuzz_target!(|input: Input| {
    let files: Vec<_> = input
        .files
        .iter()
        .enumerate()
        .map(|(seed, (size, is_opaque))| {
            let (size, is_refused) = (size.get(), AtomicBool::new(false));
            Arc::new(File { seed: seed as u8, size, is_opaque: *is_opaque, is_refused })
        })
        .collect();
    let parts: Vec<_> = input.parts.into_iter().map(|planned| part(planned, &files)).collect();
    let total = parts.iter().map(length).fold(0, u64::saturating_add);
    let mut kernel = Simulated::new(&parts, input.choices);
    let mut transfer = Transfer::new(parts, input.holds_tail, input.may_copy);
    check_count(&transfer, total, &kernel);
    run(&mut transfer, &mut kernel, total, u64::from(input.budget % MOST_BUDGET + 1));
    drop((transfer, kernel));
    assert!(files.iter().all(|file| Arc::strong_count(file) == 1), "its files are released");
});

fn part(planned: Planned, files: &[Arc<File>]) -> Part<File> {
    let (second, offset, len) = match planned {
        Planned::Bytes(bytes) => return Part::Bytes(bytes),
        Planned::Region { second, offset, len } => (second, offset.get(), len.get()),
        Planned::Rest { second, from, more } => {
            let size = files[usize::from(second)].size;
            let offset = from.get().min(size);
            (second, offset, (size - offset).saturating_add_signed(more.into()))
        }
    };
    let len = len.min(END_OF_FILES - offset);
    Part::Region(Region { file: Arc::clone(&files[usize::from(second)]), offset, len })
}

fn length(part: &Part<File>) -> u64 {
    match part {
        Part::Bytes(bytes) => bytes.len() as u64,
        Part::Region(region) => region.len,
    }
}

/// Plays the reactor and the disk.
fn run(transfer: &mut Transfer<File>, kernel: &mut Simulated, total: u64, budget: u64) {
    let mut barren = 0;
    let mut asked = 0;
    for _ in 0..STEPS {
        let before = transfer.sent();
        if before > MOST_BYTES {
            return;
        }
        let mut step = transfer.advance(kernel, budget);
        check_count(transfer, total, kernel);
        assert!(transfer.sent() - before <= budget.saturating_add(SMALL), "more than the budget");
        if matches!(step, Step::Tail) {
            assert!(transfer.remaining() <= TAIL && transfer.remaining() > 0, "a tail is short");
            step = transfer.finish(kernel);
            check_count(transfer, total, kernel);
            assert!(!matches!(step, Step::Cold(_) | Step::Tail | Step::Yield), "a tail lies in memory");
        }
        match step {
            Step::Done => {
                assert!(transfer.remaining() == 0 && kernel.is_complete(), "all of it is sent");
                return;
            }
            Step::Failed(failure) => return check_failure(failure, kernel),
            Step::WouldBlock | Step::Yield => {}
            Step::Tail => unreachable!("finished above"),
            Step::Cold(wanted) => {
                let answer = fetch(&wanted, kernel);
                let has_read = wanted.offset > std::mem::replace(&mut asked, wanted.offset);
                if has_read || matches!(&answer, Fetched::Copied(bytes) if !bytes.is_empty()) {
                    barren = 0; // what was read is in memory for good
                }
                if let Err(failure) = transfer.take(answer) {
                    return check_failure(failure, kernel);
                }
            }
        }
        barren = if transfer.sent() > before { 0 } else { barren + 1 };
        assert!(barren < BARREN_STEPS, "it goes on and sends nothing");
    }
}

/// What a disk's thread answers: less than it was asked for, too.
fn fetch(wanted: &Wanted<File>, kernel: &mut Simulated) -> Fetched {
    let Wanted { file, offset, len, copied } = wanted;
    assert!(*len > 0 && *len <= if *copied { COPIED_PIECE } else { PIECE }, "a piece has its length");
    assert!(offset.checked_add(*len).is_some_and(|end| end <= END_OF_FILES), "a piece lies in a file");
    let choice = kernel.choice();
    let len = match choice {
        0 => return Fetched::Failed(Errno(libc::EIO)),
        1..=50 => 1,
        51..=60 if !copied => 0,
        _ => *len,
    };
    if *copied {
        return Fetched::Copied(file.bytes(*offset, len));
    }
    kernel.known = (*offset, offset + len);
    Fetched::Cached(len)
}

fn check_failure(failure: Failure, kernel: &Simulated) {
    match failure {
        Failure::Send(errno) => assert_eq!(Some(errno.0), kernel.failed),
        Failure::Sendfile(errno) => {
            assert!(
                errno == Errno(libc::EINVAL) || Some(errno.0) == kernel.failed,
                "an errno that was answered"
            );
        }
        Failure::Read(errno) => assert_eq!(errno, Errno(libc::EIO)),
        Failure::Truncated => {}
        Failure::Wait(_) => panic!("nobody waited"),
    }
}
