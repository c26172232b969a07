//! What is known of file systems by their kind: the magic numbers of statfs(2).

use std::os::fd::AsRawFd;

use crate::sys;

/// What lies in memory by nature, and never waits for a disk: tmpfs, ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Others that answer by themselves, from memory or a disk, and never ask a server: ext2 to ext4, XFS, Btrfs, F2FS,
/// bcachefs, ZFS, JFS, SquashFS, EROFS, ISO 9660. Not overlayfs: a layer of it may be FUSE's or the network's, and from
/// within a container nobody can tell.
const LOCAL: [i64; 10] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0xca45_1a4e,
    0x2fc1_2fc1,
    0x3153_464a,
    0x7371_7368,
    0xe0f5_e1e2,
    0x9660,
];

/// The kind of file system that a file is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never waits for anything.
    Memory,
    /// Opening, and asking about, what is in memory does not wait.
    Local,
    /// FUSE, network, pseudo file systems, and what is not known.
    Other,
}

/// Asks for the kind. What cannot be told is [`Kind::Other`].
pub fn kind_of(file: &impl AsRawFd) -> Kind {
    match sys::file_system(file) {
        Ok(magic) if IN_MEMORY.contains(&magic) => Kind::Memory,
        Ok(magic) if LOCAL.contains(&magic) => Kind::Local,
        _ => Kind::Other,
    }
}
