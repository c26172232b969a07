//! What threads share, and wait for. In one place, because the simulation (test/simulation) compiles what uses it with
//! threads that it schedules itself.

pub use crossbeam_channel::{unbounded, Receiver, Sender};
pub use std::collections::HashMap;
pub use std::sync::{atomic, Condvar, Mutex, MutexGuard};
pub use std::thread;

/// A static of the process; of one run in the simulation.
macro_rules! process_wide {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$attribute])*
        static $name: $type = $value;
    };
}

pub(crate) use process_wide;
