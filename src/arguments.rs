//! From numbers and bytes of JavaScript to what the engine takes. They were validated there; here nothing is
//! believed that memory, or the arithmetic of the engine, depends on.

use std::ffi::CStr;
use std::sync::Arc;

use crate::transfer::{Part, Region};

/// The end of the largest file.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// A name, whose bytes end in a NUL, and have no other.
pub fn c_name(bytes: &[u8]) -> Option<&CStr> {
    CStr::from_bytes_with_nul(bytes).ok()
}

/// `len` bytes from `offset`: `None` for what lies in no file.
pub fn span(offset: f64, len: f64) -> Option<(u64, u64)> {
    // Written so that NaN is none. A fraction is cut off, as by any conversion.
    if !(offset >= 0.0 && len >= 0.0) {
        return None;
    }
    let (offset, len) = (offset as u64, len as u64);
    offset.checked_add(len).filter(|end| *end <= MAX_OFFSET).map(|_| (offset, len))
}

/// A piece of a file.
pub fn region<F>(file: Arc<F>, offset: f64, len: f64) -> Option<Region<F>> {
    span(offset, len).map(|(offset, len)| Region { file, offset, len })
}

/// A gather list: bytes, then pieces of a file, with bytes before each, then bytes. `layout` has for each piece how many
/// of `heads` stand before it, its offset and its length. `None` for a layout that says anything else.
pub fn gather_list<F>(
    before: Vec<u8>,
    file: &Arc<F>,
    mut heads: &[u8],
    layout: &[f64],
    after: &[u8],
) -> Option<Vec<Part<F>>> {
    let (pieces, []) = layout.as_chunks::<3>() else {
        return None;
    };
    let mut parts = Vec::with_capacity(pieces.len() * 2 + 1);
    let mut bytes = before;
    for [head_len, offset, len] in pieces {
        let (head_len, _) = span(*head_len, 0.0)?;
        let (head, rest) = heads.split_at_checked(usize::try_from(head_len).ok()?)?;
        heads = rest;
        bytes.extend_from_slice(head);
        parts.push(Part::Bytes(std::mem::take(&mut bytes)));
        parts.push(Part::Region(region(Arc::clone(file), *offset, *len)?));
    }
    if !heads.is_empty() {
        return None;
    }
    bytes.extend_from_slice(after);
    parts.push(Part::Bytes(bytes));
    Some(parts)
}

/// An offset as a Number: one below zero stands for the descriptor's own position.
pub fn position_of_number(offset: f64) -> Option<i64> {
    position_of_integer(offset as i64)
}

/// The same as a BigInt.
pub fn position_of_integer(offset: i64) -> Option<i64> {
    (offset >= 0).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_region_ends_behind_the_largest_file() {
        assert_eq!(span(0.0, 9_007_199_254_740_991.0), Some((0, 9_007_199_254_740_991)));
        assert_eq!(span(1e300, 0.0), None);
        assert_eq!(span(9e18, 9e18), None);
        assert_eq!(span(f64::NAN, 0.0), None);
        assert_eq!(span(0.0, -1.0), None);
        assert_eq!(span(f64::INFINITY, f64::INFINITY), None);
    }

    #[test]
    fn a_layout_is_all_of_its_heads_and_whole_pieces() {
        let file = Arc::new(());
        let parts = |heads: &[u8], layout: &[f64]| {
            gather_list(b"<".to_vec(), &file, heads, layout, b">").map(|parts| parts.len())
        };
        assert_eq!(parts(b"ab", &[1.0, 0.0, 5.0, 1.0, 5.0, 5.0]), Some(5));
        assert_eq!(parts(b"", &[]), Some(1));
        assert_eq!(parts(b"ab", &[1.0, 0.0, 5.0]), None, "a head that stands before nothing");
        assert_eq!(parts(b"ab", &[3.0, 0.0, 5.0]), None, "a head longer than all of them");
        assert_eq!(parts(b"ab", &[2.0, 0.0]), None, "half a piece");
        assert_eq!(parts(b"ab", &[2.0, -1.0, 5.0]), None, "a piece before the file");
    }
}
