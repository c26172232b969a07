//! How system calls fail.

/// A positive `errno`, as the kernel gave it (errno(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// The errno that the last system call of this thread left behind.
    pub fn last() -> Self {
        Self::from(std::io::Error::last_os_error())
    }
}

impl From<std::io::Error> for Errno {
    /// An error that carries no OS number is reported as `EIO`.
    fn from(error: std::io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// What a system call answers.
pub type Result<T> = std::result::Result<T, Errno>;

/// Why the system would not even begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it answered.
    pub errno: Errno,
    /// Which call was refused.
    pub syscall: &'static str,
}

impl Refusal {
    /// What `syscall` answered.
    pub fn of(syscall: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { errno, syscall }
    }

    /// Duplicating finds out first what `sendfile(2)` would have said of a number that is not open.
    pub fn of_sendfile(errno: Errno) -> Self {
        let syscall = if errno.0 == libc::EBADF { "sendfile" } else { "dup" };
        Self { errno, syscall }
    }
}
