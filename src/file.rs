//! An open file that is sent from, and what is known of it.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, RawFd};

use crate::disk::Disk;
use crate::file_system::{kind_of, Kind};
use crate::mounts;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sys::{self, Errno, OwnedFd, Status};
use crate::top_mount;

/// A regular file, open for reading. Closed with its last owner.
#[derive(Debug)]
pub struct File {
    /// Taken only when it is closed.
    fd: Option<OwnedFd>,
    /// As it was when the file was opened.
    status: Status,
    /// tmpfs: never on a disk.
    lies_in_memory: bool,
    /// It cannot be sent from the page cache: its file system does not support it, or cannot say
    /// what is in memory. Its bytes are read by the disk's threads, and sent from there.
    copied: AtomicBool,
    /// cachestat(2) is refused to us for this file.
    uncounted: AtomicBool,
}

/// What opening without waiting came to.
#[derive(Debug)]
pub enum AtOnce {
    /// Open.
    Opened(File),
    /// It cannot be opened, and waiting would not change that.
    Refused(Errno),
    /// It may have to wait: to be opened on a disk's thread.
    MayWait,
}

impl AtOnce {
    pub fn of(opened: sys::Result<File>) -> Self {
        match opened {
            Ok(file) => Self::Opened(file),
            Err(errno) if is_final(errno) => Self::Refused(errno),
            Err(_) => Self::MayWait,
        }
    }
}

/// Whether waiting would not change it.
fn is_final(errno: Errno) -> bool {
    matches!(
        errno.0,
        libc::ENOENT
            | libc::ENOTDIR
            | libc::EISDIR
            | libc::ELOOP
            | libc::EACCES
            | libc::ENAMETOOLONG
            | libc::EMFILE
            | libc::ENFILE
    )
}

impl File {
    /// Opens a path.
    ///
    /// # Errors
    /// As open(2) and [`File::of`].
    pub fn open(path: &CStr) -> sys::Result<Self> {
        let fd = sys::open(path)?;
        mounts::learn(&fd);
        top_mount::learn();
        Self::of(fd)
    }

    /// The same where that cannot wait: the names are in memory, and the file lies on a mount that is known to be
    /// local. Opening one of FUSE, or over a network, asks its server, in memory or not.
    pub fn open_at_once(path: &CStr) -> AtOnce {
        if let Some(opened) = top_mount::open_at_once(path) {
            return opened;
        }
        let Some(kind) = sys::find_cached(path).ok().and_then(|place| mounts::local_kind(&place)) else {
            return AtOnce::MayWait;
        };
        AtOnce::of(sys::open_cached(path).and_then(|fd| Self::of_kind(fd, kind)))
    }

    /// Takes an open descriptor where nothing of that can wait: a file system that can be asked for what is
    /// in memory is local. `None` where it may, and where something is the matter.
    pub fn at_once(fd: OwnedFd) -> Option<Self> {
        match sys::read_cached(&fd, 0, &mut [0]) {
            Ok(_) | Err(Errno(libc::EAGAIN)) => {}
            Err(_) => return None,
        }
        let kind = kind_of(&fd);
        Self::of_kind(fd, kind).ok()
    }

    /// Takes an open descriptor of a file system that is known to be of this kind.
    ///
    /// # Errors
    /// As [`File::of`].
    pub fn of_kind(fd: OwnedFd, kind: Kind) -> sys::Result<Self> {
        let status = regular(&fd)?;
        Ok(Self::new(fd, status, kind == Kind::Memory, true))
    }

    /// Takes an open descriptor.
    ///
    /// # Errors
    /// `EISDIR` for a directory, `EINVAL` for what else is no regular file; fstat(2)'s.
    pub fn of(fd: OwnedFd) -> sys::Result<Self> {
        let status = regular(&fd)?;
        let lies_in_memory = kind_of(&fd) == Kind::Memory;
        // FUSE and network file systems do not know the flag.
        let knows_what_is_cached =
            lies_in_memory || !matches!(sys::read_cached(&fd, 0, &mut [0]), Err(Errno(libc::EOPNOTSUPP)));
        Ok(Self::new(fd, status, lies_in_memory, knows_what_is_cached))
    }

    fn new(fd: OwnedFd, status: Status, lies_in_memory: bool, knows_what_is_cached: bool) -> Self {
        Self {
            fd: Some(fd),
            status,
            lies_in_memory,
            copied: AtomicBool::new(!knows_what_is_cached),
            uncounted: AtomicBool::new(false),
        }
    }

    /// As it was when the file was opened.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Whether it is another now: written to, or no longer under its name.
    ///
    /// # Errors
    /// fstat(2)'s.
    pub fn has_changed(&self) -> sys::Result<bool> {
        let now = sys::status(self)?;
        let was = &self.status;
        let unlinked = was.linked && !now.linked;
        Ok(now.size != was.size || now.modified != was.modified || unlinked)
    }

    pub fn lies_in_memory(&self) -> bool {
        self.lies_in_memory
    }

    pub fn is_copied(&self) -> bool {
        self.copied.load(Ordering::Relaxed)
    }

    pub fn set_copied(&self) {
        self.copied.store(true, Ordering::Relaxed);
    }

    pub fn is_uncounted(&self) -> bool {
        self.uncounted.load(Ordering::Relaxed)
    }

    pub fn set_uncounted(&self) {
        self.uncounted.store(true, Ordering::Relaxed);
    }
}

/// The status of a regular file.
///
/// # Errors
/// `EISDIR` for a directory, `EINVAL` for what else is none; fstat(2)'s.
pub fn regular(fd: &OwnedFd) -> sys::Result<Status> {
    let status = sys::status(fd)?;
    match status.mode & libc::S_IFMT {
        libc::S_IFREG => Ok(status),
        libc::S_IFDIR => Err(Errno(libc::EISDIR)),
        _ => Err(Errno(libc::EINVAL)),
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }
}

impl Drop for File {
    /// Closing a file of FUSE, or over a network, may wait for its server: never here.
    fn drop(&mut self) {
        let Some(fd) = self.fd.take().filter(|_| self.is_copied()) else {
            return;
        };
        // Without a thread to do it, it is closed here after all.
        let _ = Disk::shared().submit(self.status.device, Box::new(move || drop(fd)));
    }
}
