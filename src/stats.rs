//! Counters of the process, that tests and operators read.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the lanes have done since the addon was loaded.
#[derive(Default)]
pub struct Stats {
    /// Transfers that began.
    pub transfers: Counter,
    /// Transfers that left the JavaScript thread and have not ended.
    pub active: Counter,
    /// Bytes that sendfile(2) moved.
    pub sendfile_bytes: Counter,
    /// Bytes that send(2) moved: heads, small regions, and files that are copied natively.
    pub send_bytes: Counter,
    /// Of all bytes, those that left on the JavaScript thread.
    pub inline_bytes: Counter,
    /// Those that left on the reactor's.
    pub reactor_bytes: Counter,
    /// EAGAIN of a socket.
    pub would_blocks: Counter,
    /// Times that a socket that was waited for took more.
    pub wake_ups: Counter,
    /// Pieces that had to be waited for on a disk's thread.
    pub fetches: Counter,
}

/// The counters.
pub static STATS: Stats = Stats {
    transfers: Counter::new(),
    active: Counter::new(),
    sendfile_bytes: Counter::new(),
    send_bytes: Counter::new(),
    inline_bytes: Counter::new(),
    reactor_bytes: Counter::new(),
    would_blocks: Counter::new(),
    wake_ups: Counter::new(),
    fetches: Counter::new(),
};

/// A number that threads add to.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}
