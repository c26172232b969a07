//! A folder that files are served from, and nothing outside of it.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::file::{self, AtOnce, File};
use crate::mounts;
use crate::sys::{self, Errno, Resolve};
use crate::top_mount;

/// So often a name is resolved anew, when renames go on below the folder meanwhile.
const RACES: u32 = 32;

/// Room for the path of a root and a name below it.
const PATH_ROOM: usize = 512;

/// The folder is a path: what it means is asked for each file.
#[derive(Debug)]
pub struct Root {
    path: CString,
    links: bool,
    /// Whether it led over no symbolic link when that was last asked: then [`Root::open_straight`] is worth while.
    is_straight: AtomicBool,
}

impl Root {
    /// `links`: symbolic links are followed, as long as they stay inside.
    pub fn new(path: CString, links: bool) -> Self {
        Self { path, links, is_straight: AtomicBool::new(false) }
    }

    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// Opens a regular file where that cannot wait: its name, and the folder's, are in memory, and it lies on the
    /// folder's own mount, which is known to be local.
    pub fn open_at_once(&self, name: &CStr) -> AtOnce {
        if let Some(opened) = self.open_straight(name) {
            return opened;
        }
        let Ok(folder) = sys::open_folder(&self.path, true) else {
            return AtOnce::MayWait;
        };
        let Some(kind) = mounts::local_kind(&folder) else {
            return AtOnce::MayWait;
        };
        let resolve = Resolve { cached: true, same_mount: true, links: self.links };
        AtOnce::of(sys::open_beneath(&folder, name, resolve).and_then(|fd| File::of_kind(fd, kind)))
    }

    /// Folder and name in one. `None`: there may be a file all the same.
    fn open_straight(&self, name: &CStr) -> Option<AtOnce> {
        let (folder, name) = (self.path.to_bytes(), name.to_bytes_with_nul());
        if !self.is_straight.load(Ordering::Relaxed) || !leads_down(name) {
            return None;
        }
        let mut room = [0; PATH_ROOM];
        let path = room.get_mut(..folder.len() + 1 + name.len())?;
        path[..folder.len()].copy_from_slice(folder);
        path[folder.len()] = b'/';
        path[folder.len() + 1..].copy_from_slice(name);
        // Without a link, and without "..", a name below a folder means nothing outside of it.
        top_mount::open_at_once(CStr::from_bytes_with_nul(path).ok()?)
    }

    /// Opens a regular file, and waits for whatever has to be waited for.
    ///
    /// # Errors
    /// `EXDEV` or `ELOOP` where the name leads out of the folder; `EISDIR` and `EINVAL` for what is no regular
    /// file; `ENOSYS` or `EPERM` where there is no openat2(2).
    pub fn open(&self, name: &CStr) -> sys::Result<File> {
        let folder = sys::open_folder(&self.path, false)?;
        mounts::learn(&folder);
        top_mount::learn();
        self.is_straight.store(sys::is_straight(&self.path), Ordering::Relaxed);
        let resolve = Resolve { cached: false, same_mount: false, links: self.links };
        let place = in_spite_of_races(|| sys::find_beneath(&folder, name, resolve))?;
        // Nothing else is opened at all: the writer of a FIFO would go on, and a device do what it does.
        file::regular(&place)?;
        // A lease that somebody has on the file is waited for.
        match sys::open_again(&place) {
            Err(Errno(libc::ENOENT)) => in_spite_of_races(|| sys::open_beneath(&folder, name, resolve)), // no /proc
            opened => opened,
        }
        .and_then(File::of)
    }
}

/// Whether a name, with a NUL behind it, can only mean something below.
pub(crate) fn leads_down(name: &[u8]) -> bool {
    let is_empty_or_absolute = matches!(name, [0 | b'/', ..]);
    !is_empty_or_absolute && !name.split(|byte| matches!(byte, b'/' | 0)).any(|part| part == b"..")
}

/// A rename below the folder may have left open whether a name leads out of it.
fn in_spite_of_races(open: impl Fn() -> sys::Result<OwnedFd>) -> sys::Result<OwnedFd> {
    for _ in 0..RACES {
        match open() {
            Err(Errno(libc::EAGAIN)) => {}
            opened => return opened,
        }
    }
    open()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sendfile-native-root-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("inside")).unwrap();
            fs::write(path.join("inside/file"), "inside").unwrap();
            fs::write(path.join("secret"), "secret").unwrap();
            Self(path)
        }

        fn root(&self, links: bool) -> Root {
            Root::new(c_string(&self.0.join("inside")), links)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn c_string(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }

    #[test]
    fn a_file_is_opened_at_once_when_its_root_was_found_to_be_local() {
        let folder = Folder::new("local");
        let root = folder.root(true);
        assert_eq!(root.open(c"file").unwrap().status().size, 6);
        assert!(matches!(root.open_at_once(c"file"), AtOnce::Opened(file) if file.status().size == 6));
        fs::write(folder.0.join("inside/file"), "changed").unwrap();
        assert!(matches!(root.open_at_once(c"file"), AtOnce::Opened(file) if file.status().size == 7));
    }

    #[test]
    fn no_name_leads_out() {
        let folder = Folder::new("out");
        symlink("../secret", folder.0.join("inside/relative")).unwrap();
        symlink(folder.0.join("secret"), folder.0.join("inside/absolute")).unwrap();
        symlink("/proc/self/root/etc/passwd", folder.0.join("inside/magic")).unwrap();
        let root = folder.root(true);
        root.open(c"file").unwrap();
        for name in [c"../secret", c"relative", c"absolute", c"magic", c"/etc/passwd"] {
            assert_eq!(root.open(name).unwrap_err(), Errno(libc::EXDEV), "{name:?}");
            assert!(matches!(root.open_at_once(name), AtOnce::MayWait), "{name:?}");
        }
    }

    #[test]
    fn links_that_stay_inside_are_followed_unless_that_is_ruled_out() {
        let folder = Folder::new("links");
        symlink("file", folder.0.join("inside/link")).unwrap();
        assert!(folder.root(true).open(c"link").is_ok());
        let root = folder.root(false);
        assert_eq!(root.open(c"link").unwrap_err(), Errno(libc::ELOOP));
        assert!(matches!(root.open_at_once(c"link"), AtOnce::Refused(Errno(libc::ELOOP))));
    }

    #[test]
    fn a_root_that_comes_to_mean_another_folder_does_so_for_the_next_file() {
        let folder = Folder::new("swapped");
        fs::create_dir(folder.0.join("other")).unwrap();
        fs::write(folder.0.join("other/file"), "the other").unwrap();
        symlink("inside", folder.0.join("current")).unwrap();
        let root = Root::new(c_string(&folder.0.join("current")), true);
        assert_eq!(root.open(c"file").unwrap().status().size, 6);
        symlink("other", folder.0.join("next")).unwrap();
        fs::rename(folder.0.join("next"), folder.0.join("current")).unwrap();
        match root.open_at_once(c"file") {
            AtOnce::Opened(file) => assert_eq!(file.status().size, 9),
            AtOnce::MayWait => assert_eq!(root.open(c"file").unwrap().status().size, 9),
            AtOnce::Refused(errno) => panic!("{errno:?}"),
        }
    }

    #[test]
    fn a_folder_that_is_replaced_by_a_link_is_left_for_where_that_leads() {
        let folder = Folder::new("replaced");
        fs::create_dir(folder.0.join("other")).unwrap();
        fs::write(folder.0.join("other/file"), "the other").unwrap();
        let root = folder.root(false);
        assert_eq!(root.open(c"file").unwrap().status().size, 6);
        fs::rename(folder.0.join("inside"), folder.0.join("before")).unwrap();
        symlink("other", folder.0.join("inside")).unwrap();
        match root.open_at_once(c"file") {
            AtOnce::Opened(file) => assert_eq!(file.status().size, 9),
            AtOnce::MayWait => assert_eq!(root.open(c"file").unwrap().status().size, 9),
            AtOnce::Refused(errno) => panic!("{errno:?}"),
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let folder = Folder::new("folders");
        fs::create_dir(folder.0.join("inside/folder")).unwrap();
        let root = folder.root(true);
        assert_eq!(root.open(c"folder").unwrap_err(), Errno(libc::EISDIR));
        assert!(matches!(root.open_at_once(c"folder"), AtOnce::Refused(Errno(libc::EISDIR))));
        assert_eq!(root.open(c"absent").unwrap_err(), Errno(libc::ENOENT));
        assert!(matches!(
            root.open_at_once(c"absent"),
            AtOnce::Refused(Errno(libc::ENOENT)) | AtOnce::MayWait
        ));
    }
}
