//! What was counted, and how it is told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::connection::Fault;
use crate::cpu::Cpu;

/// Latencies are kept in microseconds, with three digits, up to ten minutes.
const DIGITS: u8 = 3;
const LONGEST: u64 = 600_000_000;

pub struct Report {
    pub requests: u64,
    pub bytes: u64,
    latency: Histogram<u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Report {
    pub fn new() -> Result<Report, hdrhistogram::CreationError> {
        let latency = Histogram::new_with_bounds(1, LONGEST, DIGITS)?;
        Ok(Report { requests: 0, bytes: 0, latency, faults: BTreeMap::new() })
    }

    /// Forgets what was counted, and no fault.
    pub fn restart(&mut self) {
        (self.requests, self.bytes) = (0, 0);
        self.latency.reset();
    }

    pub fn answered(&mut self, asked: Instant) {
        self.requests += 1;
        self.latency.saturating_record(micros(asked.elapsed()));
    }

    pub fn fault(&mut self, fault: Fault) {
        let name = match fault {
            Fault::Status => "status",
            Fault::Framing => "framing",
            Fault::Length => "length",
            Fault::Short => "short",
            Fault::Closed => "closed",
            Fault::Excess => "excess",
        };
        *self.faults.entry(name).or_default() += 1;
    }

    pub fn errors(&self) -> u64 {
        self.faults.values().sum()
    }

    /// One line of JSON.
    pub fn print(&self, elapsed: Duration, cpu: Cpu) {
        let faults: Vec<String> =
            self.faults.iter().map(|(name, count)| format!(r#""{name}":{count}"#)).collect();
        let quantile = |quantile| match self.requests {
            0 => "null".to_owned(),
            _ => (self.latency.value_at_quantile(quantile) as f64 / 1e3).to_string(),
        };
        println!(
            r#"{{"requests":{},"bytes":{},"seconds":{:.6},"errors":{},"faults":{{{}}},"latency":{{"p50":{},"p99":{},"max":{}}},"cpu":{{"user":{:.3},"system":{:.3},"total":{:.6}}}}}"#,
            self.requests,
            self.bytes,
            elapsed.as_secs_f64(),
            self.errors(),
            faults.join(","),
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
            cpu.user,
            cpu.system,
            cpu.total,
        );
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
