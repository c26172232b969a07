//! How often the simulated kernel does what nobody hopes for, and how often it has.

/// How often something happens, in a thousand calls where it can.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    /// Others run before a system call.
    pub pause: u64,
    /// Less is taken, or read, than could be.
    pub short: u64,
    /// A socket takes nothing for want of memory, and says so when there is some again.
    pub full: u64,
    /// sendfile(2) answers EAGAIN for its file's sake: no event follows.
    pub file_eagain: u64,
    /// Pages are evicted.
    pub evict: u64,
    /// An event without a cause.
    pub spurious: u64,
    /// epoll_wait(2) is interrupted, or fails.
    pub wait_fails: u64,
    /// No descriptor is to be had.
    pub no_descriptor: u64,
    /// No place in an epoll set.
    pub no_place: u64,
    /// No thread.
    pub no_thread: u64,
    /// A disk's error.
    pub read_fails: u64,
    /// sendfile(2) fails.
    pub send_fails: u64,
    /// The peer resets the connection, when it could read.
    pub reset: u64,
    /// A file becomes shorter while it is read.
    pub truncate: u64,
}

/// What was done on purpose, so that a failure can be told from a finding.
#[derive(Clone, Debug, Default)]
pub struct Injected {
    pub shorts: u64,
    pub eagains: u64,
    pub evictions: u64,
    pub spurious: u64,
    pub interrupted: u64,
    pub no_descriptor: u64,
    pub no_place: u64,
    pub no_thread: u64,
    pub read_failures: u64,
    pub send_failures: u64,
    pub resets: u64,
    pub truncations: u64,
}

impl Injected {
    /// All of them.
    pub fn faults(&self) -> u64 {
        let Self {
            shorts,
            eagains,
            evictions,
            spurious,
            interrupted,
            no_descriptor,
            no_place,
            no_thread,
            read_failures,
            send_failures,
            resets,
            truncations,
        } = self;
        let refused = no_descriptor + no_place + no_thread;
        let failed = read_failures + send_failures + resets + truncations;
        shorts + eagains + evictions + spurious + interrupted + refused + failed
    }
}
