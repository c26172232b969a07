//! Many runs, on all processors.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::{run, schedule};

/// More of them say nothing new.
const MOST_FINDINGS: usize = 10;
const REPORT: Duration = Duration::from_secs(10);
/// So long is no run: the longest have some hundred thousand.
const MOST_STEPS: usize = 3_000_000;

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub cases: u64,
    pub faults: u64,
    pub bytes: u64,
    /// Seeds of runs that failed.
    pub findings: Vec<u64>,
}

/// How shuttle runs.
pub fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `count` seeds from `first` on, on so many threads. Prints each that fails.
pub fn search(first: u64, count: u64, workers: usize) -> Report {
    let report = Arc::new(Mutex::new(Report::default()));
    let next = Arc::new(AtomicU64::new(first));
    let end = first.saturating_add(count);
    let workers: Vec<_> = (0..workers.max(1))
        .map(|_| {
            let (report, next) = (Arc::clone(&report), Arc::clone(&next));
            thread::spawn(move || work(&report, &next, end))
        })
        .collect();
    let mut reported = Instant::now();
    while !workers.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(5));
        if reported.elapsed() > REPORT {
            reported = Instant::now();
            let Report { cases, faults, bytes, findings } = lock(&report).clone();
            println!(
                "{cases} of {count} seeds, {faults} faults, {} MiB, {} findings",
                bytes >> 20,
                findings.len()
            );
        }
    }
    let report = lock(&report).clone();
    report
}

fn work(report: &Arc<Mutex<Report>>, next: &Arc<AtomicU64>, end: u64) {
    while next.load(Ordering::Relaxed) < end && lock(report).findings.len() < MOST_FINDINGS {
        let seeds = schedule::Seeds::new(Arc::clone(next), end);
        let counted = Arc::clone(report);
        let run = move || {
            let outcome = run::seeded();
            let mut report = lock(&counted);
            report.cases += 1;
            report.faults += outcome.faults;
            report.bytes += outcome.bytes;
        };
        if catch_unwind(AssertUnwindSafe(|| Runner::new(seeds, config()).run(run))).is_err() {
            let seed = schedule::seed();
            println!("finding: SEED={seed} cargo test --release -p simulation seeds -- --nocapture");
            let mut report = lock(report);
            report.cases += 1;
            report.findings.push(seed);
        }
    }
}
