//! What was counted, and how it is told: a line of JSON each.

use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use serde_json::json;

use crate::connection::{Connection, End};

/// Latencies are kept in microseconds, with three digits, up to ten minutes.
const DIGITS: u8 = 3;
const LONGEST: u64 = 600_000_000;

/// Findings that are told one by one.
const MOST_TOLD: u64 = 20;

pub struct Outcome {
    pub done: u64,
    complete: u64,
    left: u64,
    cut: u64,
    refused: u64,
    bytes: u64,
    cleared: u64,
    answers: u64,
    pub findings: u64,
    /// Of the answers since the last line.
    latency: Histogram<u64>,
}

impl Outcome {
    pub fn new() -> Result<Outcome, CreationError> {
        Ok(Outcome {
            done: 0,
            complete: 0,
            left: 0,
            cut: 0,
            refused: 0,
            bytes: 0,
            cleared: 0,
            answers: 0,
            findings: 0,
            latency: Histogram::new_with_bounds(1, LONGEST, DIGITS)?,
        })
    }

    pub fn answered(&mut self, connection: &mut Connection) {
        self.bytes += std::mem::take(&mut connection.verified);
        self.cleared += std::mem::take(&mut connection.cleared);
        for took in connection.answers.drain(..) {
            self.answers += 1;
            self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST));
        }
    }

    pub fn ended(&mut self, end: End) {
        self.done += 1;
        *match end {
            End::Complete => &mut self.complete,
            End::Left => &mut self.left,
            End::Cut => &mut self.cut,
            End::Refused => &mut self.refused,
        } += 1;
    }

    pub fn wrong(&mut self, connection: &Connection, what: &str) {
        self.done += 1;
        self.findings += 1;
        if self.findings <= MOST_TOLD {
            let plan = format!("{:?}", connection.plan);
            println!("{}", json!({ "finding": what, "connection": connection.number, "plan": plan }));
        }
    }

    /// One line; the latencies begin anew.
    pub fn tell(&mut self, elapsed: Duration, open: usize, is_last: bool) {
        let quantile = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1e3;
        println!(
            "{}",
            json!({
                "seconds": elapsed.as_secs_f64(), "open": open, "last": is_last, "done": self.done,
                "complete": self.complete, "left": self.left, "cut": self.cut, "refused": self.refused,
                "bytes": self.bytes, "cleared": self.cleared, "answers": self.answers, "findings": self.findings,
                "window": self.latency.len(), "p50": quantile(0.5), "p99": quantile(0.99),
            })
        );
        self.latency.reset();
    }
}
