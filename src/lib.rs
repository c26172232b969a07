//! The Node-API surface: what `lib/` calls, and nothing else.
//!
//! Arguments were validated in JavaScript: descriptors are integers from 0 to 2^31-1, offsets from
//! 0 to 2^63-1 or -1 for "the descriptor's own position", lengths from 0 to 2^53-1. Answers are
//! numbers: bytes, or a negative errno.
#![deny(unsafe_code)]

mod completion;
mod disk;
mod engine;
mod environment;
mod fetch;
mod file;
mod pool;
mod reactor;
mod residency;
mod socket;
mod stats;
mod sys;
mod transfer;

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::Token;
use napi::bindgen_prelude::{BigInt, ClassInstance, Either, FnArgs, Function, Uint8Array};
use napi::{Env, Result, Status};
use napi_derive::napi;

use engine::{answer, Command, Progress};
use environment::Sending;
use reactor::Reactor;
use stats::STATS;
use sys::Refusal;
use transfer::{Part, Region, Transfer};

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

    /// Opens a path, for reading. 0 or a negative errno is delivered to `id`.
    #[napi(catch_unwind)]
    pub fn open(&self, id: f64, path: Uint8Array) -> Result<Option<Refused>> {
        let path = CString::new(path.to_vec())
            .map_err(|_| napi::Error::new(Status::InvalidArg, "a path with a NUL in it"))?;
        Ok(self.0.open(id, path).err().map(Refused::from))
    }

    /// The same of a duplicate of a descriptor.
    #[napi(catch_unwind)]
    pub fn adopt(&self, id: f64, fd: i32) -> Option<Refused> {
        self.0.adopt(id, fd).err().map(Refused::from)
    }

    /// The file, once 0 was delivered to `id`.
    #[napi(catch_unwind)]
    pub fn take_file(&self, id: f64) -> Option<File> {
        self.0.take_file(id).map(|file| File(Some(file)))
    }

    /// Whether the file is another than when it was opened; `null`: 0 or 1 is delivered to `id`.
    #[napi(catch_unwind)]
    pub fn has_changed(&self, id: f64, file: &File) -> Result<Option<bool>> {
        Ok(self.0.has_changed(id, file.open()?))
    }

    /// Sends a gather list. A number: all of these bytes are in the kernel. Otherwise see `Sending`.
    #[napi(catch_unwind)]
    pub fn transfer(
        &self,
        id: f64,
        socket: i32,
        parts: Vec<Either<Uint8Array, Piece>>,
        holds_tail: bool,
        may_copy: bool,
    ) -> Result<Either<f64, Outgoing>> {
        let parts = parts.into_iter().map(Part::try_from).collect::<Result<Vec<_>>>()?;
        Ok(self.0.transfer(id, socket, Transfer::new(parts, false, may_copy), holds_tail).into())
    }

    /// Goes on with a transfer from this thread, when 1 was delivered to its `id`.
    #[napi(catch_unwind)]
    pub fn finish(&self, id: f64, socket: i32, sending: &Outgoing) -> Either<f64, Outgoing> {
        self.0.finish(id, socket, &sending.progress).into()
    }
}

/// A file that is open for sending.
#[napi]
pub struct File(Option<Arc<file::File>>);

#[napi]
impl File {
    /// Bytes, when it was opened.
    #[napi(getter, catch_unwind)]
    pub fn size(&self) -> Result<f64> {
        Ok(self.open()?.status().size as f64)
    }

    /// Its descriptor, for reading; open until `close`.
    #[napi(getter, catch_unwind)]
    pub fn fd(&self) -> Result<i32> {
        Ok(self.open()?.as_raw_fd())
    }

    /// Whether its bytes are copied, for want of anything better.
    #[napi(getter, catch_unwind)]
    pub fn copied(&self) -> Result<bool> {
        Ok(self.open()?.is_copied())
    }

    /// Gives it up. It is closed when no transfer has it any more.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.0 = None;
    }

    fn open(&self) -> Result<&Arc<file::File>> {
        self.0.as_ref().ok_or_else(|| napi::Error::from_reason("the file was given up"))
    }
}

/// A region, as part of a gather list.
#[napi(object, object_to_js = false)]
pub struct Piece<'env> {
    /// What it is a region of.
    pub file: ClassInstance<'env, File>,
    /// Where it starts, in bytes.
    pub offset: f64,
    /// How long it is, in bytes.
    pub len: f64,
}

impl TryFrom<Either<Uint8Array, Piece<'_>>> for Part<file::File> {
    type Error = napi::Error;

    fn try_from(part: Either<Uint8Array, Piece>) -> Result<Self> {
        Ok(match part {
            Either::A(bytes) => Part::Bytes(bytes.to_vec()),
            Either::B(Piece { file, offset, len }) => {
                let file = Arc::clone(file.open()?);
                Part::Region(Region { file, offset: offset as u64, len: len as u64 })
            }
        })
    }
}

/// A gather list that is not all in the kernel.
#[napi]
pub struct Outgoing {
    progress: Arc<Progress>,
    token: Option<Token>,
    failure: f64,
}

#[napi]
impl Outgoing {
    /// Bytes that are in the kernel.
    #[napi(getter, catch_unwind)]
    pub fn sent(&self) -> f64 {
        self.progress.sent() as f64
    }

    /// 0 when the engine has it, and delivers an answer; or else why it has not (`engine::answer`).
    #[napi(getter, catch_unwind)]
    pub fn failure(&self) -> f64 {
        self.failure
    }

    /// Forgets it; an answer that is on its way still arrives.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        drop(self.progress.take_back());
        let Some(token) = self.token else { return };
        for reactor in Reactor::started() {
            // Either is right: a transfer, or the watch of one that is driven from this thread.
            reactor.cancel(token);
            reactor.command(Command::Cancel(token));
        }
    }
}

impl From<Sending> for Either<f64, Outgoing> {
    fn from(sending: Sending) -> Self {
        match sending {
            Sending::Done(sent) => Either::A(sent as f64),
            Sending::Pending(token, progress) => Either::B(Outgoing { progress, token, failure: 0.0 }),
            Sending::Failed(failure, progress) => {
                Either::B(Outgoing { progress, token: None, failure: answer::failure(failure) })
            }
        }
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
    let offset = match offset {
        Either::A(number) => number as i64,
        Either::B(big) => big.get_i64().0,
    };
    (offset >= 0).then_some(offset)
}
