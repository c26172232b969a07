//! Linux system calls.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::{Errno, Result};

/// One `sendfile(2)`: moves up to `len` bytes from `input` to `output` and returns how many went,
/// which may be fewer than asked; 0 is the end of the file.
///
/// With `Some(offset)` bytes are read from there and the position of `input` stays; with `None`
/// they are read from its position, which advances. `EINTR` is retried: it means nothing was moved.
pub fn sendfile(
    output: &impl AsRawFd,
    input: &impl AsRawFd,
    offset: Option<i64>,
    len: usize,
) -> Result<usize> {
    retry(|| {
        let mut position: libc::off_t = offset.unwrap_or(0);
        let position = match offset {
            Some(_) => &raw mut position,
            None => ptr::null_mut(),
        };
        // SAFETY: `position` is null or points to a local that outlives the call; the descriptors
        // are numbers that the kernel checks.
        unsafe { libc::sendfile(output.as_raw_fd(), input.as_raw_fd(), position, len) }
    })
}

/// A second descriptor, close-on-exec, for the file that `fd` is open on (`F_DUPFD_CLOEXEC`, fcntl(2)).
pub fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // Above the standard streams, so that a process that closed one of them never gets it back as this.
    const LOWEST: RawFd = 3;
    // SAFETY: takes numbers only; the kernel checks that `fd` is open.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LOWEST) };
    if copy < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel just made `copy` for us; nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// One `send(2)` that neither waits nor raises `SIGPIPE`. `more` says that further bytes follow at
/// once, so that the kernel need not send a small packet now (`MSG_MORE`).
pub fn send(socket: &impl AsRawFd, bytes: &[u8], more: bool) -> Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    retry(|| {
        // SAFETY: the pointer and the length are those of `bytes`, which outlives the call.
        unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) }
    })
}

/// One `pread(2)`.
pub fn read(file: &impl AsRawFd, offset: i64, buffer: &mut [u8]) -> Result<usize> {
    retry(|| {
        // SAFETY: the pointer and the length are those of `buffer`, which outlives the call.
        unsafe { libc::pread(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), offset) }
    })
}

/// Reads what is in memory (`RWF_NOWAIT`, preadv2(2)). `EAGAIN`: nothing is; `EOPNOTSUPP`: the file
/// system cannot tell.
pub fn read_cached(file: &impl AsRawFd, offset: i64, buffer: &mut [u8]) -> Result<usize> {
    let target = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    retry(|| {
        // SAFETY: one iovec, that describes `buffer`; both outlive the call.
        unsafe { libc::preadv2(file.as_raw_fd(), &raw const target, 1, offset, libc::RWF_NOWAIT) }
    })
    .map_err(without_flags)
}

/// Of preadv2(2), where the system does not have it: glibc says that it knows no flags, and so do we on musl.
fn without_flags(errno: Errno) -> Errno {
    if errno.0 == libc::ENOSYS {
        Errno(libc::EOPNOTSUPP)
    } else {
        errno
    }
}

/// As [`read`], behind what `bytes` has already: up to `len` bytes.
pub fn append(file: &impl AsRawFd, offset: i64, len: usize, bytes: &mut Vec<u8>) -> Result<usize> {
    append_with(file, offset, len, bytes, 0)
}

/// As [`read_cached`], likewise.
pub fn append_cached(file: &impl AsRawFd, offset: i64, len: usize, bytes: &mut Vec<u8>) -> Result<usize> {
    append_with(file, offset, len, bytes, libc::RWF_NOWAIT)
}

fn append_with(
    file: &impl AsRawFd,
    offset: i64,
    len: usize,
    bytes: &mut Vec<u8>,
    flags: i32,
) -> Result<usize> {
    bytes.reserve(len);
    let target = libc::iovec { iov_base: bytes.spare_capacity_mut().as_mut_ptr().cast(), iov_len: len };
    let read = retry(|| {
        // SAFETY: one iovec, that describes room which `bytes` has to spare; both outlive the call.
        unsafe { libc::preadv2(file.as_raw_fd(), &raw const target, 1, offset, flags) }
    })
    .map_err(without_flags)?;
    // SAFETY: the kernel wrote so many bytes there, and no more than `len`.
    unsafe { bytes.set_len(bytes.len() + read) };
    Ok(read)
}

/// How many pages of this part of the file are in the page cache (cachestat(2), Linux 6.5). `EPERM` for
/// who neither owns the file nor may write it.
pub fn cached_pages(file: &impl AsRawFd, offset: u64, len: u64) -> Result<u64> {
    #[repr(C)]
    struct Range {
        offset: u64,
        len: u64,
    }
    #[repr(C)]
    #[derive(Default)]
    struct Counts {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }
    /// The number is the same on every architecture.
    const CACHESTAT: libc::c_long = 451;
    let range = Range { offset, len };
    let mut counts = Counts::default();
    retry(|| {
        // SAFETY: both structures are laid out as the kernel's, and outlive the call.
        (unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut counts, 0) }) as isize
    })?;
    Ok(counts.cached)
}

/// Opens a file for reading. `O_NONBLOCK`: a FIFO without a writer is opened all the same, and can be
/// refused, instead of waiting for the writer.
pub fn open(path: &CStr) -> Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = retry(|| {
        // SAFETY: `path` ends in a NUL and outlives the call.
        (unsafe { libc::open(path.as_ptr(), flags) }) as isize
    })?;
    // SAFETY: the kernel just made the descriptor for us; nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// What fstat(2) says of a file, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The device, which tells disks apart.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// The last modification, in nanoseconds since 1970.
    pub modified: i128,
    /// Whether it has a name: not when it was deleted, or another file was put in its place.
    pub linked: bool,
}

/// The position that reads without an offset begin at (lseek(2)).
pub fn position(file: &impl AsRawFd) -> Result<usize> {
    retry(|| {
        // SAFETY: takes numbers only.
        (unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_CUR) }) as isize
    })
}

/// Sets it. Returns what it is then.
pub fn set_position(file: &impl AsRawFd, offset: i64) -> Result<usize> {
    retry(|| {
        // SAFETY: takes numbers only.
        (unsafe { libc::lseek(file.as_raw_fd(), offset, libc::SEEK_SET) }) as isize
    })
}

/// fstat(2).
pub fn status(file: &impl AsRawFd) -> Result<Status> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    retry(|| {
        // SAFETY: `stat` is room for the answer, and outlives the call.
        (unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) }) as isize
    })?;
    // SAFETY: the call succeeded, and filled it.
    let stat = unsafe { stat.assume_init() };
    Ok(status_of(&stat))
}

fn status_of(stat: &libc::stat) -> Status {
    Status {
        device: stat.st_dev,
        inode: stat.st_ino,
        mode: stat.st_mode,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        linked: stat.st_nlink > 0,
    }
}

/// What kind of file system a file is on: the magic number (fstatfs(2)).
pub fn file_system(file: &impl AsRawFd) -> Result<i64> {
    let mut statfs = MaybeUninit::<libc::statfs>::uninit();
    retry(|| {
        // SAFETY: `statfs` is room for the answer, and outlives the call.
        (unsafe { libc::fstatfs(file.as_raw_fd(), statfs.as_mut_ptr()) }) as isize
    })?;
    // SAFETY: the call succeeded, and filled it.
    let statfs = unsafe { statfs.assume_init() };
    #[allow(clippy::unnecessary_cast, reason = "with musl it is unsigned")]
    Ok(statfs.f_type as i64)
}

/// Ends both directions of a connection, whoever else has it open (shutdown(2)).
pub fn shut_down(socket: &impl AsRawFd) -> Result<()> {
    retry(|| {
        // SAFETY: takes numbers only.
        (unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RDWR) }) as isize
    })
    .map(drop)
}

/// Resets a TCP connection, whoever else has it open: without lingering, and disconnected.
pub fn reset(socket: &impl AsRawFd) -> Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set_option(socket, libc::SOL_SOCKET, libc::SO_LINGER, &linger)?;
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    retry(|| {
        // SAFETY: the address is a `sockaddr`, of that size, and outlives the call.
        (unsafe {
            libc::connect(socket.as_raw_fd(), &raw const nobody, size_of_val(&nobody) as libc::socklen_t)
        }) as isize
    })
    .map(drop)
}

/// Sends what Nagle's algorithm holds back, on a TCP socket that has it on: `TCP_NODELAY` pushes it out
/// (tcp(7)), and is taken back.
pub fn push(socket: &impl AsRawFd) -> Result<()> {
    if no_delay(socket)? {
        return Ok(());
    }
    set_no_delay(socket, true)?;
    set_no_delay(socket, false)
}

fn no_delay(socket: &impl AsRawFd) -> Result<bool> {
    let mut on: libc::c_int = 0;
    let mut len = size_of_val(&on) as libc::socklen_t;
    retry(|| {
        // SAFETY: the option's value is an int, and `len` its size; both outlive the call.
        (unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_NODELAY,
                (&raw mut on).cast(),
                &raw mut len,
            )
        }) as isize
    })?;
    Ok(on != 0)
}

fn set_no_delay(socket: &impl AsRawFd, on: bool) -> Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, &libc::c_int::from(on))
}

/// setsockopt(2) with a value of the option's own type.
fn set_option<T>(socket: &impl AsRawFd, level: i32, option: i32, value: &T) -> Result<()> {
    retry(|| {
        // SAFETY: the pointer and the size are those of `value`, which outlives the call; the kernel
        // checks that the size is the option's.
        (unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                ptr::from_ref(value).cast(),
                size_of_val(value) as libc::socklen_t,
            )
        }) as isize
    })
    .map(drop)
}

/// Bytes that the peer has not acknowledged yet (`SIOCOUTQ`, tcp(7), unix(7)).
pub fn unacknowledged(socket: &impl AsRawFd) -> Result<usize> {
    let mut bytes: libc::c_int = 0;
    retry(|| {
        // SAFETY: `SIOCOUTQ`, which has the number of `TIOCOUTQ`, writes one int.
        (unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) }) as isize
    })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Repeats a system call that a signal interrupted, and reads its answer.
pub(super) fn retry(mut call: impl FnMut() -> isize) -> Result<usize> {
    loop {
        if let Ok(answer) = usize::try_from(call()) {
            return Ok(answer);
        }
        let errno = Errno::last();
        if errno.0 != libc::EINTR {
            return Err(errno);
        }
    }
}

/// Tells the scheduler that the calling thread is for throughput (`SCHED_BATCH`, sched(7)), and takes long turns: it
/// never displaces one that answers somebody, and is displaced by it. Where that is not permitted, it is as any other.
pub fn be_considerate() {
    /// sched_setattr(2).
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    /// In nanoseconds: longer than any thread's that asked for nothing. The kernel lets one with shorter turns go first
    /// when it wakes up (Linux 6.12; before that it is not looked at).
    const LONG_TURN: u64 = 10_000_000;
    let size = size_of::<Attributes>();
    let mut attributes = Attributes::default();
    // SAFETY: the attributes are of the size that is said, and outlive the call; 0 is the calling thread.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if got < 0 || attributes.policy != libc::SCHED_OTHER as u32 {
        return; // whoever chose another policy for the process meant it
    }
    attributes.policy = libc::SCHED_BATCH as u32;
    attributes.runtime = LONG_TURN;
    // SAFETY: as above; the kernel filled in the size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Blocks every signal on the calling thread, so that they go to Node's own threads.
pub fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `all` is room for one signal set, which the call initialises.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` was initialised above; a null third argument asks for no old mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::unix::net::UnixStream;

    fn file_with(contents: &[u8]) -> File {
        let name = format!("sendfile-native-{}-{:p}", std::process::id(), contents);
        let path = std::env::temp_dir().join(name);
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file.write_all(contents).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn a_given_offset_leaves_the_position_and_none_moves_it() {
        let mut file = file_with(b"0123456789");
        let (out, mut peer) = UnixStream::pair().unwrap();

        assert_eq!(sendfile(&out, &file, Some(7), 100), Ok(3));
        assert_eq!(file.stream_position().unwrap(), 0);
        assert_eq!(sendfile(&out, &file, None, 4), Ok(4));
        assert_eq!(file.stream_position().unwrap(), 4);
        assert_eq!(sendfile(&out, &file, Some(10), 100), Ok(0));

        drop(out);
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"7890123");
    }

    #[test]
    fn a_full_destination_answers_eagain() {
        let file = file_with(&[7; 4096]);
        let (out, _peer) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        while sendfile(&out, &file, Some(0), 4096).is_ok() {}
        assert_eq!(sendfile(&out, &file, Some(0), 4096), Err(Errno(libc::EAGAIN)));
    }

    #[test]
    fn the_kernel_answers_for_bad_numbers() {
        assert_eq!(sendfile(&-1, &-1, Some(0), 1), Err(Errno(libc::EBADF)));
        assert_eq!(duplicate(-1).unwrap_err(), Errno(libc::EBADF));
    }

    #[test]
    fn a_duplicate_shares_the_position_and_outlives_the_original() {
        let mut file = file_with(b"abc");
        let copy = duplicate(file.as_raw_fd()).unwrap();
        assert!(copy.as_raw_fd() >= 3);
        file.seek(std::io::SeekFrom::Start(2)).unwrap();
        drop(file);
        let (out, mut peer) = UnixStream::pair().unwrap();
        assert_eq!(sendfile(&out, &copy, None, 10), Ok(1));
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"c");
    }

    #[test]
    fn an_interrupted_call_is_repeated_and_any_other_error_is_not() {
        let interrupt = |errno: i32| {
            // SAFETY: takes nothing; the answer is this thread's own errno.
            let location = unsafe { libc::__errno_location() };
            // SAFETY: which is always there to write to.
            unsafe { *location = errno };
            -1
        };
        let mut calls = 0;
        let answer = retry(|| {
            calls += 1;
            if calls < 3 {
                return interrupt(libc::EINTR);
            }
            5
        });
        assert_eq!((answer, calls), (Ok(5), 3));
        assert_eq!(retry(|| interrupt(libc::EIO)), Err(Errno(libc::EIO)));
    }
}
