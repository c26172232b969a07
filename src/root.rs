//! A folder that files are served from, and nothing outside of it.

use std::ffi::{CStr, CString};

use crate::file::{AtOnce, File};
use crate::mounts;
use crate::sys::{self, Errno, Resolve};

/// So often a name is resolved anew, when renames go on below the folder meanwhile.
const RACES: u32 = 32;

/// The folder is a path: what it means is asked for each file.
#[derive(Debug)]
pub struct Root {
    path: CString,
    links: bool,
}

impl Root {
    /// `links`: symbolic links are followed, as long as they stay inside.
    pub fn new(path: CString, links: bool) -> Self {
        Self { path, links }
    }

    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// Opens a regular file where that cannot wait: its name, and the folder's, are in memory, and it lies on the
    /// folder's own mount, which is known to be local.
    pub fn open_at_once(&self, name: &CStr) -> AtOnce {
        let Ok(folder) = sys::open_folder(&self.path, true) else {
            return AtOnce::MayWait;
        };
        let Some(kind) = mounts::local_kind(&folder) else {
            return AtOnce::MayWait;
        };
        let resolve = Resolve { cached: true, same_mount: true, links: self.links };
        AtOnce::of(sys::open_beneath(&folder, name, resolve).and_then(|fd| File::of_kind(fd, kind)))
    }

    /// Opens a regular file, and waits for whatever has to be waited for.
    ///
    /// # Errors
    /// `EXDEV` or `ELOOP` where the name leads out of the folder; `EISDIR` and `EINVAL` for what is no regular
    /// file; `ENOSYS` or `EPERM` where there is no openat2(2).
    pub fn open(&self, name: &CStr) -> sys::Result<File> {
        let folder = sys::open_folder(&self.path, false)?;
        mounts::learn(&folder);
        let resolve = Resolve { cached: false, same_mount: false, links: self.links };
        let mut races = 0;
        loop {
            match sys::open_beneath(&folder, name, resolve) {
                Ok(fd) => return File::of(fd),
                Err(Errno(libc::EAGAIN)) if races < RACES => races += 1,
                Err(errno) => return Err(errno),
            }
        }
    }
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
