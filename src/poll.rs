//! Readiness, as mio has it. In one place, because the simulation (test/simulation) has its own.

pub use mio::unix::SourceFd;
pub use mio::{Events, Interest, Poll, Registry, Token, Waker};
