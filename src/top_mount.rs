//! The mount of `/`. Where it is local, a path on it that leads over no symbolic link and no other mount is opened
//! without waiting for anybody, and in one call.

use std::ffi::CStr;
use std::sync::OnceLock;

use crate::file::{AtOnce, File};
use crate::file_system::{kind_of, Kind};
use crate::sys::{self, Errno};

static KIND: OnceLock<Kind> = OnceLock::new();

/// Asks what kind of file system it is, until it has been told. May wait.
pub fn learn() {
    if KIND.get().is_some() {
        return;
    }
    // Without a descriptor to spare, next time.
    if let Ok(folder) = sys::open_folder(c"/", false) {
        let _ = KIND.set(kind_of(&folder)); // another thread may have been faster
    }
}

/// Opens a regular file by its absolute path. `None`: the path may mean something all the same.
pub fn open_at_once(path: &CStr) -> Option<AtOnce> {
    let kind = KIND.get().copied().filter(|kind| *kind != Kind::Other)?;
    if !path.to_bytes().starts_with(b"/") {
        return None;
    }
    match sys::open_straight(path) {
        Err(Errno(libc::EXDEV | libc::ELOOP | libc::ENAMETOOLONG)) => None,
        opened => Some(AtOnce::of(opened.and_then(|fd| File::of_kind(fd, kind)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_leads_over_a_link_or_another_mount_is_left_to_others() {
        let path = std::env::temp_dir().join(format!("sendfile-native-top-{}", std::process::id()));
        symlink("/etc/hostname", &path).unwrap();
        let link = CString::new(path.as_os_str().as_bytes()).unwrap();
        learn();
        for path in [&link, c"/proc/self/status", c"etc/hostname"] {
            assert!(!matches!(open_at_once(path), Some(AtOnce::Opened(_))), "{path:?}");
        }
        fs::remove_file(path).unwrap();
    }
}
