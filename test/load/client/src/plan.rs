//! What one connection is to do: it follows from the seed and its number alone.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;

use crate::args::{Args, File, Kind, Mode};

/// How a connection is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// close(2): a FIN, or a reset where bytes were not read.
    Close,
    /// A reset at once (SO_LINGER of 0).
    Reset,
}

#[derive(Clone, Debug)]
pub struct Leave {
    /// Bytes that have come, the head included, before it is left; nothing: before it has asked.
    pub at: Option<u64>,
    /// After so long at that place, in which nothing is read.
    pub after: Duration,
    pub how: Leaving,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub kind: Kind,
    pub address: SocketAddr,
    pub file: File,
    /// The way that the server is to send.
    pub way: char,
    pub receive_buffer: Option<usize>,
    /// Requests, one after the other, each this long after the answer before.
    pub requests: u32,
    pub think: Duration,
    /// Says after its request that it has nothing more to say, and wants its answer.
    pub half_closes: bool,
    /// Sends only a part of its request before it leaves.
    pub is_partial: bool,
    pub leave: Option<Leave>,
}

const HTTP_WAYS: &[char] = &['s', 'p', 'h', 'd', 'r'];
const RAW_WAYS: &[char] = &['p', 'h', 'd', 'r', 'y', 'a'];
const MORTAL_WAYS: &[char] = &['p', 'd', 'y', 'a'];

/// What the kernel keeps of a download that nobody takes: little, because there are thousands.
const SMALL_BUFFER: usize = 4096;

/// Bytes that come quickly all the same.
const SOON: u64 = 32 << 10;

impl Plan {
    pub fn new(args: &Args, number: u64) -> Plan {
        let mut rng = Rng::with_seed(args.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        rng.u64(..); // neighbouring seeds begin alike
        match args.mode {
            Mode::Short => short(args, &mut rng),
            Mode::Load => load(args, &mut rng, number % 2 == 1),
        }
    }
}

fn short(args: &Args, rng: &mut Rng) -> Plan {
    let (kind, address) = args.targets[rng.usize(..args.targets.len())];
    // Most files are small: those at the end of the list are the largest.
    let most = match rng.u8(..100) {
        0..80 => args.files.len() / 2,
        80..97 => args.files.len() * 7 / 8,
        _ => args.files.len(),
    };
    let file = args.files[rng.usize(..most.max(1))];
    let how = if rng.bool() { Leaving::Close } else { Leaving::Reset };
    let wait = Duration::from_millis(if rng.bool() { 0 } else { rng.u64(..20) });
    let leave = match rng.u8(..100) {
        0..30 => None,
        30..37 => Some(Leave { at: None, after: wait, how }),
        37..50 => Some(Leave { at: Some(0), after: wait, how }),
        _ => Some(Leave { at: Some(rng.u64(..=file.size)), after: wait, how }),
    };
    // Much would take long through a small buffer: only who leaves soon has one.
    let soon = leave.as_ref().is_some_and(|leave| leave.at.unwrap_or(0) <= SOON);
    let receive_buffer = (soon && rng.bool()).then_some(SMALL_BUFFER);
    Plan {
        kind,
        address,
        file,
        way: way(kind, rng),
        receive_buffer,
        requests: 1,
        think: Duration::ZERO,
        half_closes: rng.u8(..4) == 0,
        is_partial: rng.bool(),
        leave,
    }
}

/// Every other connection is a download of the largest file that stalls, and then is left.
fn load(args: &Args, rng: &mut Rng, stalls: bool) -> Plan {
    let (kind, address) = args.targets[rng.usize(..args.targets.len())];
    let last = args.files.len() - 1;
    let leave = stalls.then(|| Leave {
        at: Some(rng.u64(1..64 << 10)),
        after: Duration::from_secs_f64(10.0 + 50.0 * rng.f64()),
        how: if rng.bool() { Leaving::Close } else { Leaving::Reset },
    });
    Plan {
        kind,
        address,
        file: args.files[if stalls { last } else { rng.usize(..last.max(1)) }],
        way: if rng.bool() { 's' } else { 'p' },
        receive_buffer: stalls.then_some(SMALL_BUFFER),
        requests: if stalls { 1 } else { rng.u32(1..6) },
        think: Duration::from_secs_f64(4.0 + 12.0 * rng.f64()),
        half_closes: false,
        is_partial: false,
        leave,
    }
}

fn way(kind: Kind, rng: &mut Rng) -> char {
    let ways = match kind {
        Kind::Http => HTTP_WAYS,
        Kind::Raw => RAW_WAYS,
        Kind::Mortal => MORTAL_WAYS,
    };
    ways[rng.usize(..ways.len())]
}
