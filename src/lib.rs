//! The Node-API surface: what `lib/` calls, and nothing else.
//!
//! Arguments were validated in JavaScript: descriptors are integers from 0 to 2^31-1, offsets from
//! 0 to 2^63-1 or -1 for "the descriptor's own position", lengths from 0 to 2^53-1. Answers are
//! numbers: bytes, or a negative errno.
#![deny(unsafe_code)]

mod completion;
mod environment;
mod pool;
mod reactor;
mod sys;

use mio::Token;
use napi::bindgen_prelude::{BigInt, Either, FnArgs, Function};
use napi::{Env, Result};
use napi_derive::napi;

use environment::Refusal;
use reactor::Reactor;

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
        self.0
            .sendfile(id, output, input, position(offset), len as usize)
            .err()
            .map(Refused::from)
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
        if let Some(reactor) = Reactor::started() {
            reactor.cancel(Token(token as usize));
        }
    }
}

impl From<Refusal> for Refused {
    fn from(Refusal { errno, syscall }: Refusal) -> Self {
        Self {
            errno: -errno.0,
            syscall,
        }
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
