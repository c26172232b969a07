//! Names below a folder, resolved by the kernel: openat2(2).

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::linux::retry;
use super::Result;

/// How a name is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// Only by what is in memory: `EAGAIN` where a file system would have to be asked (Linux 5.12).
    pub cached: bool,
    /// Never into another mount: `EXDEV`.
    pub same_mount: bool,
    /// Symbolic links are followed, as long as they stay below the folder; otherwise `ELOOP`.
    pub links: bool,
}

/// The mount that a file is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    device: (u32, u32),
    id: u64,
}

/// Opens a file below `folder` for reading. `EXDEV` where the name leads out of it; `EAGAIN` also when a race
/// with a rename left that open. Nothing is waited for in a FIFO.
pub fn open_beneath(folder: &impl AsRawFd, name: &CStr, resolve: Resolve) -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    openat2(folder.as_raw_fd(), name, flags, flags_of(resolve))
}

fn flags_of(resolve: Resolve) -> u64 {
    let mut flags = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    flags |= if resolve.cached { libc::RESOLVE_CACHED } else { 0 };
    flags |= if resolve.same_mount { libc::RESOLVE_NO_XDEV } else { 0 };
    flags |= if resolve.links { 0 } else { libc::RESOLVE_NO_SYMLINKS };
    flags
}

/// What a name below `folder` means: neither opened nor asked.
pub fn find_beneath(folder: &impl AsRawFd, name: &CStr, resolve: Resolve) -> Result<OwnedFd> {
    openat2(folder.as_raw_fd(), name, libc::O_PATH | libc::O_CLOEXEC, flags_of(resolve))
}

/// A folder as a place to open names below; not to be read. `cached` as of [`Resolve`].
pub fn open_folder(path: &CStr, cached: bool) -> Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    openat2(libc::AT_FDCWD, path, flags, if cached { libc::RESOLVE_CACHED } else { 0 })
}

/// What a path means, by names that are in memory (`EAGAIN` where they are not): neither opened nor asked.
pub fn find_cached(path: &CStr) -> Result<OwnedFd> {
    openat2(libc::AT_FDCWD, path, libc::O_PATH | libc::O_CLOEXEC, libc::RESOLVE_CACHED)
}

/// As [`super::open`], by names that are in memory.
pub fn open_cached(path: &CStr) -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    openat2(libc::AT_FDCWD, path, flags, libc::RESOLVE_CACHED)
}

/// As [`super::open`], by names that are in memory, over no symbolic link (`ELOOP`), and into no other mount than that
/// of `/` (`EXDEV`). `path` is absolute.
pub fn open_straight(path: &CStr) -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let resolve = libc::RESOLVE_CACHED | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    openat2(libc::AT_FDCWD, path, flags, resolve)
}

/// Whether a path leads over no symbolic link. May wait.
pub fn is_straight(path: &CStr) -> bool {
    openat2(libc::AT_FDCWD, path, libc::O_PATH | libc::O_CLOEXEC, libc::RESOLVE_NO_SYMLINKS).is_ok()
}

/// Opens for reading what was found (proc(5), `/proc/self/fd`). `ENOENT` where there is no /proc.
pub fn open_again(place: &impl AsRawFd) -> Result<OwnedFd> {
    let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0";
    let digits = place.as_raw_fd().to_string();
    path[14..14 + digits.len()].copy_from_slice(digits.as_bytes());
    let fd = retry(|| {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY;
        // SAFETY: `path` ends in a NUL, as a descriptor has ten digits at most, and outlives the call.
        (unsafe { libc::open(path.as_ptr().cast(), flags) }) as isize
    })?;
    // SAFETY: the kernel just made the descriptor for us; nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn openat2(folder: RawFd, name: &CStr, flags: i32, resolve: u64) -> Result<OwnedFd> {
    // SAFETY: integers all; zeroes are valid, and mean nothing.
    let mut how: libc::open_how = unsafe { MaybeUninit::zeroed().assume_init() };
    how.flags = flags as u64;
    how.resolve = resolve;
    let size = size_of::<libc::open_how>();
    let fd = retry(|| {
        // SAFETY: `name` ends in a NUL, `how` is of the size that is said; both outlive the call.
        (unsafe { libc::syscall(libc::SYS_openat2, folder, name.as_ptr(), &raw const how, size) }) as isize
    })?;
    // SAFETY: the kernel just made the descriptor for us; nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// The mount of an open file, from what the kernel has in memory: no file system is asked (statx(2),
/// `AT_STATX_DONT_SYNC`). `None`: it cannot be told for good.
pub fn mount_of(file: &impl AsRawFd) -> Result<Option<Mount>> {
    /// A number that no later mount gets (Linux 6.8).
    const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
    let mut statx = MaybeUninit::<libc::statx>::uninit();
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let mask = libc::STATX_MNT_ID | STATX_MNT_ID_UNIQUE;
    retry(|| {
        // SAFETY: the name is an empty C string, `statx` is room for the answer; both outlive the call.
        (unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, mask, statx.as_mut_ptr()) }) as isize
    })?;
    // SAFETY: the call succeeded, and filled it.
    let statx = unsafe { statx.assume_init() };
    let device = (statx.stx_dev_major, statx.stx_dev_minor);
    // Before Linux 6.8 both the number and that of a device without a disk may be another mount's later.
    let is_for_good = statx.stx_mask & STATX_MNT_ID_UNIQUE != 0
        || (statx.stx_mask & libc::STATX_MNT_ID != 0 && device.0 != 0);
    Ok(is_for_good.then_some(Mount { device, id: statx.stx_mnt_id }))
}
