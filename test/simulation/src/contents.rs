//! What files and heads contain: a byte follows from whose it is and where it stands.

use std::sync::OnceLock;

use crate::random::Random;

/// Prime, so that pieces of any size meet other bytes.
const PERIOD: usize = 1_048_573;
/// Longest piece that is compared at once.
const LONGEST: usize = 64 * 1024;

/// Where expected bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose contents they are.
    pub pattern: u64,
    pub offset: u64,
    pub len: u64,
}

fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut random = Random::new(1);
        let mut bytes: Vec<u8> = (0..PERIOD).map(|_| random.number() as u8).collect();
        bytes.extend_from_within(..LONGEST);
        bytes
    })
}

/// The bytes from `offset` on, as many as lie together, up to `len`.
fn some(pattern: u64, offset: u64, len: usize) -> &'static [u8] {
    let at = (pattern.wrapping_mul(7_919_333) + offset) as usize % PERIOD;
    &table()[at..at + len.min(LONGEST)]
}

/// Fills `bytes` with those from `offset` on.
pub fn fill(pattern: u64, offset: u64, bytes: &mut [u8]) {
    let mut at = 0;
    for part in bytes.chunks_mut(LONGEST) {
        part.copy_from_slice(some(pattern, offset + at, part.len()));
        at += part.len() as u64;
    }
}

/// Whether `bytes` are those from `offset` on.
pub fn is(pattern: u64, offset: u64, bytes: &[u8]) -> bool {
    let starts = (offset..).step_by(LONGEST);
    bytes.chunks(LONGEST).zip(starts).all(|(part, at)| part == some(pattern, at, part.len()))
}
