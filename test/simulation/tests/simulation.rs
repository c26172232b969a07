//! `SEEDS=1000000 cargo test --release -p simulation`; one that fails prints how to replay it.

use std::thread::available_parallelism;

use simulation::{model, search};

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

#[test]
fn seeds() {
    let (first, count) = match variable("SEED") {
        Some(seed) => (seed, 1),
        None => (0, variable("SEEDS").unwrap_or(3_000)),
    };
    let report = search::search(first, count, available_parallelism().map_or(1, usize::from));
    assert!(report.findings.is_empty(), "{report:?}");
    assert_eq!(report.cases, count);
}

#[test]
fn models() {
    let report = model::check(variable("ORDERS").unwrap_or(100) as usize, 1);
    assert!(report.findings.is_empty(), "{report:?}");
}
