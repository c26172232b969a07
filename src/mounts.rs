//! Mounts that were found to be local: names and files on them, as far as they are in memory, are opened without
//! waiting for anybody.

use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::file_system::{kind_of, Kind};
use crate::sys::{self, Mount};

/// So many are remembered.
const MOST: usize = 64;

static KNOWN: Mutex<Vec<(Mount, Kind)>> = Mutex::new(Vec::new());

/// The kind of the file system that an open file is on, if it is known to be local. Waits for nothing.
pub fn local_kind(file: &impl AsRawFd) -> Option<Kind> {
    let mount = sys::mount_of(file).ok()??;
    known().iter().find_map(|(known, kind)| (*known == mount).then_some(*kind))
}

/// Asks for the kind of the file system that an open file is on, and remembers what is local. May wait.
pub fn learn(file: &impl AsRawFd) -> Kind {
    let kind = kind_of(file);
    if kind != Kind::Other {
        if let Ok(Some(mount)) = sys::mount_of(file) {
            remember(mount, kind);
        }
    }
    kind
}

fn remember(mount: Mount, kind: Kind) {
    let mut known = known();
    if known.iter().any(|(known, _)| *known == mount) {
        return;
    }
    if known.len() == MOST {
        known.remove(0);
    }
    known.push((mount, kind));
}

fn known() -> MutexGuard<'static, Vec<(Mount, Kind)>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
