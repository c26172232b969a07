//! What the fuzz targets are about: modules of the addon, and a simulated kernel.
#![allow(dead_code, reason = "of each module only what takes shapes from outside is called")]

#[path = "../../src/arguments.rs"]
pub mod arguments;
#[path = "../../src/disk.rs"]
pub mod disk;
#[path = "../../src/file.rs"]
pub mod file;
#[path = "../../src/file_system.rs"]
pub mod file_system;
#[path = "../../src/mounts.rs"]
pub mod mounts;
#[path = "../../src/root.rs"]
pub mod root;
#[path = "../../src/sync.rs"]
pub mod sync;
#[path = "../../src/sys/mod.rs"]
pub mod sys;
#[path = "../../src/top_mount.rs"]
pub mod top_mount;
#[path = "../../src/transfer/mod.rs"]
pub mod transfer;

pub mod simulated;

/// Whether a name, with a NUL behind it, can only mean something below a folder.
pub fn leads_down(name: &[u8]) -> bool {
    root::leads_down(name)
}
