//! What the tests need of the system and Node does not offer: pairs of descriptors, socket options.

use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use napi::Result;
use napi_derive::napi;
use rustix::fs::{fcntl_getfl, fcntl_setfl, renameat_with, OFlags, RenameFlags, CWD};
use rustix::io::Errno;
use rustix::net::{socketpair, sockopt, AddressFamily, SocketFlags, SocketType};
use rustix::pipe::{pipe_with, PipeFlags};

/// Both ends of a connected, blocking unix socket.
#[napi(js_name = "socketpair")]
pub fn unix_socketpair() -> Result<Vec<i32>> {
    pair(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None))
}

/// The read end and the write end of a blocking pipe.
#[napi(js_name = "pipe")]
pub fn blocking_pipe() -> Result<Vec<i32>> {
    pair(pipe_with(PipeFlags::CLOEXEC))
}

/// `SO_SNDBUF`, in bytes.
#[napi]
pub fn set_send_buffer(fd: i32, bytes: u32) -> Result<()> {
    sockopt::set_socket_send_buffer_size(borrow(fd), bytes as usize).map_err(error)
}

/// `SO_RCVBUF`, in bytes.
#[napi]
pub fn set_receive_buffer(fd: i32, bytes: u32) -> Result<()> {
    sockopt::set_socket_recv_buffer_size(borrow(fd), bytes as usize).map_err(error)
}

/// `O_NONBLOCK`, on or off.
#[napi]
pub fn set_nonblocking(fd: i32, on: bool) -> Result<()> {
    let mut flags = fcntl_getfl(borrow(fd)).map_err(error)?;
    flags.set(OFlags::NONBLOCK, on);
    fcntl_setfl(borrow(fd), flags).map_err(error)
}

/// From now on, in every thread of the process, this system call does nothing and answers `errno` (seccomp(2)).
#[napi]
pub fn refuse_system_call(number: u32, errno: u32) -> Result<()> {
    let statement = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let mut program = [
        statement((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: number,
        },
        statement((libc::BPF_RET | libc::BPF_K) as u16, libc::SECCOMP_RET_ERRNO | errno),
        statement((libc::BPF_RET | libc::BPF_K) as u16, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers only.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
    // SAFETY: `filter` describes `program`; both outlive the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) };
    if allowed != 0 || answer != 0 {
        return Err(napi::Error::from_reason(std::io::Error::last_os_error().to_string()));
    }
    Ok(())
}

/// Each of the two gets the other's name, at once (`RENAME_EXCHANGE`).
#[napi]
pub fn exchange(one: String, other: String) -> Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(error)
}

fn pair(ends: std::result::Result<(OwnedFd, OwnedFd), Errno>) -> Result<Vec<i32>> {
    let (a, b) = ends.map_err(error)?;
    Ok(vec![a.into_raw_fd(), b.into_raw_fd()])
}

fn borrow(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: the test that passes the number keeps it open for the call, which ends before it goes on.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn error(errno: Errno) -> napi::Error {
    napi::Error::from_reason(errno.to_string())
}
