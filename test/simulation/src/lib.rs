//! The engine over a kernel, and threads, that are simulated.
//!
//! These are the sources of the addon themselves, from src/: only what they use of the system is another here.
//! Readiness ([`poll`]), system calls ([`sys`]) and what threads share and wait for ([`sync`]) come from one seed, so
//! that whatever happens can happen again.
#![cfg(not(test))]
#![forbid(unsafe_code)]
#![allow(missing_docs, dead_code, reason = "the addon has no documented names, and this is not all of it")]
#![allow(clippy::large_enum_variant, reason = "scheduled atomics are larger than the real ones")]

#[path = "../../../src/completion.rs"]
pub mod completion;
#[path = "../../../src/disk.rs"]
pub mod disk;
#[path = "../../../src/engine.rs"]
pub mod engine;
#[path = "../../../src/fetch.rs"]
pub mod fetch;
#[path = "../../../src/file.rs"]
pub mod file;
#[path = "../../../src/file_system.rs"]
pub mod file_system;
#[path = "../../../src/mounts.rs"]
pub mod mounts;
#[path = "../../../src/outbox.rs"]
pub mod outbox;
#[path = "../../../src/reactor.rs"]
pub mod reactor;
#[path = "../../../src/residency.rs"]
pub mod residency;
#[path = "../../../src/socket.rs"]
pub mod socket;
#[path = "../../../src/stats.rs"]
pub mod stats;
#[path = "../../../src/top_mount.rs"]
pub mod top_mount;
#[path = "../../../src/transfer/mod.rs"]
pub mod transfer;

pub mod contents;
pub mod inode;
pub mod javascript;
pub mod kernel;
pub mod model;
pub mod odds;
pub mod plan;
pub mod poll;
pub mod random;
pub mod run;
pub mod schedule;
pub mod search;
pub mod sync;
pub mod sys;
