//! Linux system calls.

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
    let (output, input) = (output.as_raw_fd(), input.as_raw_fd());
    loop {
        let mut position: libc::off_t = offset.unwrap_or(0);
        let position = match offset {
            Some(_) => &raw mut position,
            None => ptr::null_mut(),
        };
        // SAFETY: `position` is null or points to a local that outlives the call; the descriptors
        // are numbers that the kernel checks.
        let moved = unsafe { libc::sendfile(output, input, position, len) };
        if let Ok(moved) = usize::try_from(moved) {
            return Ok(moved);
        }
        let errno = Errno::last();
        if errno.0 != libc::EINTR {
            return Err(errno);
        }
    }
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
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
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
}
