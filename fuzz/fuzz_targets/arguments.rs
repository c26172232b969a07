//! Numbers and bytes as the addon gets them: layouts of gather lists, spans, positions, names.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sendfile_native_fuzz::arguments::{c_name, gather_list, position_of_integer, position_of_number, span};
use sendfile_native_fuzz::transfer::{Part, Transfer};

const END_OF_FILES: f64 = 9_223_372_036_854_775_808.0;

#[derive(Arbitrary, Debug)]
struct Input {
    before: Vec<u8>,
    heads: Vec<u8>,
    layout: Vec<Number>,
    after: Vec<u8>,
    integer: i64,
    name: Vec<u8>,
}

/// As often one that makes sense as any.
#[derive(Arbitrary, Debug)]
enum Number {
    Little(u8),
    Some(u32),
    Whole(u64),
    Any(f64),
    /// What is left of the heads.
    AllHeads,
}

impl Number {
    fn get(&self, heads: &[u8]) -> f64 {
        match *self {
            Self::Little(number) => f64::from(number),
            Self::Some(number) => f64::from(number),
            Self::Whole(number) => number as f64,
            Self::Any(number) => number,
            Self::AllHeads => heads.len() as f64,
        }
    }
}

fuzz_target!(|input: Input| {
    let layout: Vec<_> = input.layout.iter().map(|number| number.get(&input.heads)).collect();
    check_list(&input, &layout);
    for pair in layout.windows(2) {
        check_span(pair[0], pair[1]);
    }
    for number in &layout {
        // A conversion rounds to what there is: below zero is none, and nothing is above the largest file.
        match position_of_number(*number) {
            Some(position) => assert!(position >= 0 && (number.is_nan() || *number > -1.0)),
            None => assert!(*number <= -1.0),
        }
    }
    assert_eq!(
        position_of_integer(input.integer),
        u64::try_from(input.integer).ok().map(|whole| whole as i64)
    );
    let nul = input.name.iter().position(|byte| *byte == 0);
    let is_name = nul.is_some_and(|at| at + 1 == input.name.len());
    assert_eq!(c_name(&input.name).map(|name| name.to_bytes_with_nul()), is_name.then_some(&input.name[..]));
});

fn check_span(offset: f64, len: f64) {
    match span(offset, len) {
        Some((from, bytes)) => {
            assert!(offset >= 0.0 && len >= 0.0);
            assert!(from as f64 <= offset && bytes as f64 <= len, "no more than was said");
            assert!(from.checked_add(bytes).is_some_and(|end| end <= i64::MAX as u64));
        }
        // Doubles are too coarse at the end of files to tell on which side of it a sum lies.
        None => assert!(!(offset >= 0.0 && len >= 0.0 && offset.trunc() + len.trunc() < END_OF_FILES)),
    }
}

fn check_list(input: &Input, layout: &[f64]) {
    let file = Arc::new(());
    let Some(parts) = gather_list(input.before.clone(), &file, &input.heads, layout, &input.after) else {
        assert!(!layout.is_empty() || !input.heads.is_empty(), "an empty layout of no heads is fine");
        return;
    };
    let pieces = layout.len() / 3;
    assert_eq!(layout.len() % 3, 0);
    assert_eq!(Arc::strong_count(&file), pieces + 1);
    assert_eq!(parts.len(), pieces * 2 + 1);
    let mut bytes = Vec::new();
    let mut total = 0_u64;
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Bytes(some) => {
                assert_eq!(index % 2, 0);
                bytes.extend_from_slice(some);
                total = total.saturating_add(some.len() as u64);
            }
            Part::Region(region) => {
                let piece = &layout[index / 2 * 3..][..3];
                assert_eq!((region.offset, region.len), (piece[1] as u64, piece[2] as u64));
                total = total.saturating_add(region.len);
            }
        }
    }
    assert_eq!(
        bytes,
        [&input.before[..], &input.heads[..], &input.after[..]].concat(),
        "each byte once, in order"
    );
    assert_eq!(Transfer::new(parts, false, true).remaining(), total);
}
