//! One environment of Node (the main thread, or a worker): its mailbox, its threads, its end.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use mio::Token;
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};

use crate::completion::Completions;
use crate::pool::{Job, Pool};
use crate::reactor::Reactor;
use crate::sys;

/// `deliver(id, result)`. Weak: it does not keep the event loop alive by itself.
type Deliver = ThreadsafeFunction<(f64, f64), (), FnArgs<(f64, f64)>, Status, false, true>;

struct NodeMailbox {
    deliver: Deliver,
    closed: AtomicBool,
}

impl Completions for NodeMailbox {
    fn deliver(&self, id: f64, result: f64) {
        // `Closing` is the only refusal of an unbounded queue, and then nobody waits any more.
        self.deliver
            .call((id, result), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// What an environment has under way. Lives on its JS thread.
pub struct Environment {
    mailbox: Arc<NodeMailbox>,
    pool: Pool,
}

impl Environment {
    /// An environment whose answers go to `deliver(id, result)`.
    pub fn new(env: &Env, deliver: Function<FnArgs<(f64, f64)>, ()>) -> Result<Self> {
        let deliver = deliver
            .build_threadsafe_function::<(f64, f64)>()
            .weak::<true>()
            .build_callback(|call| Ok(FnArgs::from(call.value)))?;
        let mailbox = Arc::new(NodeMailbox {
            deliver,
            closed: AtomicBool::new(false),
        });
        env.add_env_cleanup_hook(Arc::clone(&mailbox), |mailbox| {
            mailbox.closed.store(true, Ordering::Release);
            if let Some(reactor) = Reactor::started() {
                reactor.cancel_closed();
            }
        })?;
        let pool = Pool::new(mailbox.clone());
        Ok(Self { mailbox, pool })
    }

    /// Makes answers that are still to come keep the event loop alive, or no longer.
    pub fn keep_alive(&self, env: &Env, alive: bool) -> Result<()> {
        let function = &self.mailbox.deliver.handle;
        if alive {
            sys::hold_loop(env, function)
        } else {
            sys::release_loop(env, function)
        }
    }

    /// Queues one `sendfile(2)` on duplicates of both descriptors; its answer is delivered to `id`.
    pub fn sendfile(
        &self,
        id: f64,
        output: RawFd,
        input: RawFd,
        offset: Option<i64>,
        len: usize,
    ) -> std::result::Result<(), Refusal> {
        let output = sys::duplicate(output).map_err(Refusal::of_sendfile)?;
        let input = sys::duplicate(input).map_err(Refusal::of_sendfile)?;
        self.pool
            .submit(Job {
                id,
                output,
                input,
                offset,
                len,
            })
            .map_err(Refusal::of("pthread_create"))
    }

    /// Delivers 0 to `id` once, when `fd` is writable. The token cancels that.
    pub fn watch(&self, id: f64, fd: RawFd) -> std::result::Result<Token, Refusal> {
        let fd = sys::duplicate(fd).map_err(Refusal::of("dup"))?;
        let reactor = Reactor::shared().map_err(Refusal::of("epoll_create"))?;
        reactor
            .watch(fd, id, self.mailbox.clone())
            .map_err(Refusal::of("epoll_ctl"))
    }
}

/// Why the system would not even begin.
#[derive(Debug)]
pub struct Refusal {
    /// What it answered.
    pub errno: sys::Errno,
    /// Which call was refused.
    pub syscall: &'static str,
}

impl Refusal {
    fn of(syscall: &'static str) -> impl Fn(sys::Errno) -> Self {
        move |errno| Self { errno, syscall }
    }

    /// Duplicating finds out first what `sendfile(2)` would have said of a number that is not open.
    fn of_sendfile(errno: sys::Errno) -> Self {
        let syscall = if errno.0 == libc::EBADF { "sendfile" } else { "dup" };
        Self { errno, syscall }
    }
}
