//! The Node-API surface: what `lib/` calls, and nothing else.
//!
//! Arguments were validated in JavaScript: descriptors are integers from 0 to 2^31-1, offsets from
//! 0 to 2^63-1 or -1 for "the descriptor's own position", lengths from 0 to 2^53-1. Answers are
//! numbers: bytes, or a negative errno.
//!
//! The addon is Linux's: elsewhere the crate compiles to nothing, and `lib/binding.js` loads nothing.
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod arguments;
mod completion;
mod disk;
mod engine;
mod environment;
mod fetch;
mod file;
mod file_system;
mod mounts;
mod outbox;
mod poll;
mod pool;
mod reactor;
mod residency;
mod root;
mod socket;
mod stats;
mod sync;
mod sys;
mod top_mount;
mod transfer;

use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Either, Float64ArraySlice, FnArgs, Function, Uint8Array};
use napi::{Env, Result, Status};
use napi_derive::napi;

use engine::answer;
use file::{AtOnce, File};
use outbox::Sending;
use poll::Token;
use reactor::Reactor;
use stats::STATS;
use sys::Refusal;
use transfer::{Part, Transfer};

/// One `sendfile(2)` on this thread.
#[napi(catch_unwind)]
pub fn sendfile(output: i32, input: i32, offset: Either<f64, BigInt>, len: f64) -> f64 {
    number(sys::sendfile(&output, &input, position(offset), len as usize))
}

/// What one environment of Node has under way.
#[napi]
pub struct Environment(environment::Environment);

/// The system would not begin the call: `errno` is negative.
#[napi(object, object_from_js = false)]
pub struct Refused {
    /// What it answered.
    pub errno: i32,
    /// Which call was refused.
    pub syscall: &'static str,
}

#[napi]
impl Environment {
    /// Answers go to `deliver(id, result)`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: &Env, deliver: Function<FnArgs<(f64, f64)>, ()>) -> Result<Self> {
        environment::Environment::new(env, deliver).map(Self)
    }

    /// Whether answers that are still to come keep the event loop alive.
    #[napi(catch_unwind)]
    pub fn keep_alive(&self, env: &Env, alive: bool) -> Result<()> {
        self.0.keep_alive(env, alive)
    }

    /// One `sendfile(2)` on another thread, on duplicates of both descriptors.
    #[napi(catch_unwind)]
    pub fn sendfile(
        &self,
        id: f64,
        output: i32,
        input: i32,
        offset: Either<f64, BigInt>,
        len: f64,
    ) -> Option<Refused> {
        self.0.sendfile(id, output, input, position(offset), len as usize).err().map(Refused::from)
    }

    /// Delivers 0 to `id` once, when `fd` is writable. Returns a token for `unwatch`.
    #[napi(catch_unwind)]
    pub fn watch(&self, id: f64, fd: i32) -> Either<f64, Refused> {
        match self.0.watch(id, fd) {
            Ok(Token(token)) => Either::A(token as f64),
            Err(refusal) => Either::B(Refused::from(refusal)),
        }
    }

    /// Forgets a watch; one that was delivered already is no error.
    #[napi(catch_unwind)]
    pub fn unwatch(&self, token: f64) {
        for reactor in Reactor::started() {
            reactor.cancel(Token(token as usize));
        }
    }

    /// Opens a path, whose bytes end in a NUL, for reading. 0 or a negative errno is delivered to `id`.
    #[napi(catch_unwind)]
    pub fn open(&self, id: f64, path: &[u8]) -> Result<Option<Refused>> {
        Ok(self.0.open(id, c_name(path)?.to_owned()).err().map(Refused::from))
    }

    /// The same of a duplicate of a descriptor.
    #[napi(catch_unwind)]
    pub fn adopt(&self, id: f64, fd: i32) -> Option<Refused> {
        self.0.adopt(id, fd).err().map(Refused::from)
    }

    /// The same at once; `null` where that would have to wait, or cannot be.
    #[napi(catch_unwind)]
    pub fn adopt_at_once(&self, id: f64, fd: i32) -> Option<FileStatus> {
        self.0.adopt_at_once(id, fd).map(|file| FileStatus::of(&file))
    }

    /// The same of a name below a root, whose bytes end in a NUL.
    #[napi(catch_unwind)]
    pub fn open_beneath(&self, id: f64, root: &Root, name: &[u8]) -> Result<Option<Refused>> {
        let name = c_name(name)?.to_owned();
        Ok(self.0.open_beneath(id, Arc::clone(&root.0), name).err().map(Refused::from))
    }

    /// The same at once: 0, and `status` tells of it (descriptor, bytes, modification in milliseconds); a negative
    /// errno; or -EAGAIN where that would have to wait.
    #[napi(catch_unwind)]
    pub fn open_beneath_at_once(
        &self,
        id: f64,
        root: &Root,
        name: &[u8],
        status: Float64ArraySlice,
    ) -> Result<f64> {
        Ok(self.take(id, root.0.open_at_once(c_name(name)?), status))
    }

    /// The same of a path.
    #[napi(catch_unwind)]
    pub fn open_at_once(&self, id: f64, path: &[u8], status: Float64ArraySlice) -> Result<f64> {
        Ok(self.take(id, File::open_at_once(c_name(path)?), status))
    }

    /// The file that was opened, once 0 was delivered to `id`: the same number is the file's, until `close_file`.
    #[napi(catch_unwind)]
    pub fn file_status(&self, id: f64) -> Result<FileStatus> {
        Ok(FileStatus::of(&*self.file(id)?))
    }

    /// Whether its bytes are copied, for want of anything better; it may turn out on the way.
    #[napi(catch_unwind)]
    pub fn is_file_copied(&self, id: f64) -> Result<bool> {
        Ok(self.file(id)?.is_copied())
    }

    /// Gives it up. It is closed when no transfer has it any more.
    #[napi(catch_unwind)]
    pub fn close_file(&self, id: f64) {
        self.0.close_file(id);
    }

    /// Whether the file is another than when it was opened; `null`: 0 or 1 is delivered to `id`.
    #[napi(catch_unwind)]
    pub fn has_changed(&self, id: f64, file: f64) -> Result<Option<bool>> {
        Ok(self.0.has_changed(id, self.file(file)?))
    }

    /// To be called when the loop has turned, after something was sent: how much leaves on this thread is limited
    /// by turns.
    #[napi(catch_unwind)]
    pub fn turn(&self) {
        self.0.outbox.turn();
    }

    /// Sends a gather list: bytes, `len` bytes of a file from `offset`, bytes. `null`: an answer is delivered
    /// to `id`. A number: so many bytes, all of them, are in the kernel; or if it is negative, why it cannot
    /// go on (`engine::answer`). After `null`, or a failure, it is to be forgotten.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "an object with these would cost more than the call")]
    pub fn transfer(
        &self,
        id: f64,
        socket: i32,
        before: Option<Uint8Array>,
        file: Option<f64>,
        offset: f64,
        len: f64,
        after: Option<Uint8Array>,
        holds_tail: bool,
        may_copy: bool,
    ) -> Result<Option<f64>> {
        let bytes = |bytes: Uint8Array| Part::Bytes(bytes.to_vec());
        let mut parts = Vec::with_capacity(3);
        parts.extend(before.map(bytes));
        if let Some(file) = file {
            let region = arguments::region(self.file(file)?, offset, len);
            parts.push(Part::Region(region.ok_or_else(no_such_part)?));
        }
        parts.extend(after.map(bytes));
        Ok(outcome(&self.0.outbox.transfer(id, socket, Transfer::new(parts, false, may_copy), holds_tail)))
    }

    /// Sends a head, of `head_len` bytes, and `len` bytes of a file from `offset`, as far as that goes at once. Returns
    /// how many are in the kernel, of both. `closes`: when it is all of them, the file is given up.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "as of `transfer`")]
    pub fn answer(
        &self,
        socket: i32,
        head: &[u8],
        head_len: u32,
        file: f64,
        offset: f64,
        len: f64,
        closes: bool,
    ) -> Result<f64> {
        let head = head.get(..head_len as usize).unwrap_or(head);
        let (offset, len) = arguments::span(offset, len).ok_or_else(no_such_part)?;
        let sent = self.0.outbox.answer(socket, head, self.file(file)?, offset, len);
        if closes && sent == head.len() as u64 + len {
            self.0.close_file(file);
        }
        Ok(sent as f64)
    }

    /// The same of several pieces of a file, with bytes before each: `layout` has for each how many of `heads` those
    /// are, the offset and the length of the piece.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "as of `transfer`")]
    pub fn transfer_list(
        &self,
        id: f64,
        socket: i32,
        before: Option<Uint8Array>,
        file: f64,
        heads: &[u8],
        layout: &[f64],
        after: &[u8],
        holds_tail: bool,
        may_copy: bool,
    ) -> Result<Option<f64>> {
        let file = self.file(file)?;
        let before = before.map_or_else(Vec::new, |bytes| bytes.to_vec());
        let parts = arguments::gather_list(before, &file, heads, layout, after).ok_or_else(no_such_part)?;
        Ok(outcome(&self.0.outbox.transfer(id, socket, Transfer::new(parts, false, may_copy), holds_tail)))
    }

    /// Goes on with a gather list from this thread, when 1 was delivered to its `id`.
    #[napi(catch_unwind)]
    pub fn finish(&self, id: f64, socket: i32) -> Option<f64> {
        outcome(&self.0.outbox.finish(id, socket))
    }

    /// Bytes of a gather list that are in the kernel.
    #[napi(catch_unwind)]
    pub fn sent(&self, id: f64) -> f64 {
        self.0.outbox.sent(id) as f64
    }

    /// Forgets a gather list that is at its end. Returns how many of its bytes are in the kernel.
    #[napi(catch_unwind)]
    pub fn forget(&self, id: f64) -> f64 {
        self.0.outbox.forget(id) as f64
    }

    /// The same of one that is not; an answer that is on its way still arrives.
    #[napi(catch_unwind)]
    pub fn cancel(&self, id: f64) -> f64 {
        self.0.outbox.cancel(id) as f64
    }
}

impl Environment {
    fn take(&self, id: f64, opened: AtOnce, mut status: Float64ArraySlice) -> f64 {
        match self.0.take(id, opened) {
            Ok(file) => {
                let FileStatus { fd, size, modified, .. } = FileStatus::of(&file);
                sys::write_numbers(&mut status, &[f64::from(fd), size, modified]);
                0.0
            }
            Err(errno) => -f64::from(errno.0),
        }
    }

    fn file(&self, id: f64) -> Result<Arc<File>> {
        self.0.file(id).ok_or_else(|| napi::Error::from_reason("the file was given up"))
    }
}

/// A file that is open for sending.
#[napi(object, object_from_js = false)]
pub struct FileStatus {
    /// Its descriptor, for reading; open until `close_file`.
    pub fd: i32,
    /// Bytes, when it was opened.
    pub size: f64,
    /// When it was last modified before that, in milliseconds since 1970.
    pub modified: f64,
    /// Whether its bytes will be copied.
    pub is_copied: bool,
}

impl FileStatus {
    fn of(file: &File) -> Self {
        const SECOND: i128 = 1_000_000_000;
        let status = file.status();
        let seconds = status.modified.div_euclid(SECOND) as f64;
        let nanoseconds = status.modified.rem_euclid(SECOND) as f64;
        // In doubles, as fs.Stats has it.
        let modified = seconds * 1e3 + nanoseconds / 1e6;
        Self { fd: file.as_raw_fd(), size: status.size as f64, modified, is_copied: file.is_copied() }
    }
}

/// A folder that files are opened below. Its path, like each name, are bytes that end in a NUL.
#[napi]
pub struct Root(Arc<root::Root>);

#[napi]
impl Root {
    /// `links`: symbolic links are followed, as long as they stay inside.
    #[napi(constructor, catch_unwind)]
    pub fn new(path: &[u8], links: bool) -> Result<Self> {
        Ok(Self(Arc::new(root::Root::new(c_name(path)?.to_owned(), links))))
    }
}

fn c_name(bytes: &[u8]) -> Result<&CStr> {
    arguments::c_name(bytes).ok_or_else(|| {
        napi::Error::new(Status::InvalidArg, "a name without a NUL at its end, or with another")
    })
}

fn no_such_part() -> napi::Error {
    napi::Error::new(Status::InvalidArg, "a part that lies in no file, or a layout that does not fit")
}

fn outcome(sending: &Sending) -> Option<f64> {
    match sending {
        Sending::Done(sent) => Some(*sent as f64),
        Sending::Failed(failure) => Some(answer::failure(*failure)),
        Sending::Pending => None,
    }
}

/// Ends both directions of a connection at once, whoever else has it open; or resets it.
/// Returns 0 or a negative errno.
#[napi(catch_unwind)]
pub fn end_connection(socket: i32, reset: bool) -> f64 {
    number(if reset { sys::reset(&socket) } else { sys::shut_down(&socket) }.map(|()| 0))
}

/// Sends what Nagle's algorithm holds back. Returns 0 or a negative errno: a unix socket has none.
#[napi(catch_unwind)]
pub fn push(socket: i32) -> f64 {
    number(sys::push(&socket).map(|()| 0))
}

/// Moves the position of a file, if that is `from`; whether it was.
#[napi(catch_unwind)]
pub fn move_position(file: i32, from: f64, to: f64) -> bool {
    sys::position(&file) == Ok(from as usize) && sys::set_position(&file, to as i64).is_ok()
}

/// Bytes that the peer has not acknowledged, or a negative errno.
#[napi(catch_unwind)]
pub fn unacknowledged(socket: i32) -> f64 {
    number(sys::unacknowledged(&socket))
}

/// The counters of the process.
#[napi(object, object_from_js = false)]
pub struct Counters {
    /// Transfers that began.
    pub transfers: f64,
    /// Those on the reactor now.
    pub active: f64,
    /// Bytes moved by sendfile(2).
    pub sendfile_bytes: f64,
    /// Bytes moved by send(2).
    pub send_bytes: f64,
    /// Bytes that left on the JavaScript thread.
    pub inline_bytes: f64,
    /// Bytes that left on the reactor's.
    pub reactor_bytes: f64,
    /// EAGAIN of a socket.
    pub would_blocks: f64,
    /// Times that a socket took more again.
    pub wake_ups: f64,
    /// Pieces that a disk's thread fetched.
    pub fetches: f64,
}

/// The counters of the process.
#[napi(catch_unwind)]
pub fn counters() -> Counters {
    Counters {
        transfers: STATS.transfers.get(),
        active: STATS.active.get(),
        sendfile_bytes: STATS.sendfile_bytes.get(),
        send_bytes: STATS.send_bytes.get(),
        inline_bytes: STATS.inline_bytes.get(),
        reactor_bytes: STATS.reactor_bytes.get(),
        would_blocks: STATS.would_blocks.get(),
        wake_ups: STATS.wake_ups.get(),
        fetches: STATS.fetches.get(),
    }
}

impl From<Refusal> for Refused {
    fn from(Refusal { errno, syscall }: Refusal) -> Self {
        Self { errno: -errno.0, syscall }
    }
}

/// An answer as JavaScript reads it.
fn number(moved: sys::Result<usize>) -> f64 {
    match moved {
        Ok(bytes) => bytes as f64,
        Err(errno) => -f64::from(errno.0),
    }
}

fn position(offset: Either<f64, BigInt>) -> Option<i64> {
    match offset {
        Either::A(number) => arguments::position_of_number(number),
        Either::B(big) => arguments::position_of_integer(big.get_i64().0),
    }
}
