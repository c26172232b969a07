//! Transfers that have left the JavaScript thread: the reactor's part that moves bytes.
//!
//! The reactor's thread alone touches an active transfer. Others send it [`Command`]s.

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::{Arc, PoisonError};

use crate::completion::Mailbox;
use crate::fetch::fetch;
use crate::file::File;
use crate::poll::{Interest, Registry, SourceFd, Token};
use crate::socket::Socket;
use crate::stats::STATS;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{HashMap, Mutex, MutexGuard};
use crate::sys::{Errno, OwnedFd, Refusal};
use crate::transfer::{Failure, Fetched, Step, Transfer, Wanted};

/// Bytes that one transfer may move before the others have their turn.
pub const QUANTUM: u64 = 1024 * 1024;

/// What the JavaScript thread may read of a transfer at any time.
#[derive(Default)]
pub struct Progress {
    sent: AtomicU64,
    /// Handed back for the JavaScript thread to send: its last bytes, in memory, or all that is left
    /// where there is no descriptor to be had for the engine.
    handed_back: Mutex<Option<Box<Transfer<File>>>>,
}

impl Progress {
    /// Bytes that are in the kernel.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    pub fn set_sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Release);
    }

    /// The transfer that was handed back.
    pub fn take_back(&self) -> Option<Box<Transfer<File>>> {
        self.handed_back().take()
    }

    /// Hands a transfer back.
    pub fn hand_back(&self, transfer: Transfer<File>) {
        *self.handed_back() = Some(Box::new(transfer));
    }

    /// Gives the transfer that was handed back what was fetched for it: whether it can go on.
    pub fn take(&self, fetched: Fetched) -> Option<Result<(), Failure>> {
        self.handed_back().as_mut().map(|transfer| transfer.take(fetched))
    }

    fn handed_back(&self) -> MutexGuard<'_, Option<Box<Transfer<File>>>> {
        self.handed_back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a transfer ended, or that the JavaScript thread is to go on with it: what is delivered there.
pub mod answer {
    use super::{Errno, Failure};

    /// All bytes are in the kernel.
    pub const DONE: f64 = 0.0;
    /// It is the JavaScript thread's turn.
    pub const TURN: f64 = 1.0;

    /// The calls that can fail, in the order that `lib/environment.js` knows. The first stands for a
    /// file that ended too soon.
    const CALLS: [&str; 8] =
        ["", "sendfile", "write", "read", "dup", "epoll_create", "epoll_ctl", "pthread_create"];

    /// Failures are negative: the errno, and 10,000 times which call it was.
    pub fn failure(failure: Failure) -> f64 {
        let (syscall, errno) = match failure {
            Failure::Truncated => ("", Errno(0)),
            Failure::Sendfile(errno) => ("sendfile", errno),
            Failure::Send(errno) => ("write", errno),
            Failure::Read(errno) => ("read", errno),
            Failure::Wait(refusal) => (refusal.syscall, refusal.errno),
        };
        let call = CALLS.iter().position(|call| *call == syscall).unwrap_or(1);
        -((call * 10_000) as f64 + f64::from(errno.0 + 1))
    }
}

/// A transfer as it is handed to the reactor.
pub struct Submission {
    /// A duplicate, that is closed before the answer is delivered.
    pub socket: OwnedFd,
    pub transfer: Transfer<File>,
    /// Where it stands.
    pub step: Step<File>,
    pub progress: Arc<Progress>,
    /// Who waits.
    pub id: f64,
    pub mailbox: Mailbox,
}

/// What other threads ask of the engine.
pub enum Command {
    Begin(Token, Box<Submission>),
    Fetched(Token, Fetched),
    Cancel(Token),
    /// Forget what belongs to environments that have gone.
    Sweep,
}

struct Active {
    submission: Box<Submission>,
    /// In the queue of those that can go on.
    queued: bool,
    /// A disk's thread has a piece of it.
    fetching: bool,
}

/// The transfers of one reactor.
pub struct Engine {
    registry: Registry,
    active: HashMap<Token, Active>,
    /// Those that can go on, each for a quantum.
    runnable: VecDeque<Token>,
    /// Tells the engine what a disk's thread has fetched.
    reply: Arc<dyn Fn(Command) + Send + Sync>,
}

impl Engine {
    /// An engine without transfers. `reply` sends it a command from another thread.
    pub fn new(registry: Registry, reply: Arc<dyn Fn(Command) + Send + Sync>) -> Self {
        Self { registry, active: HashMap::default(), runnable: VecDeque::new(), reply }
    }

    /// Whether there is something to do without waiting.
    pub fn is_busy(&self) -> bool {
        !self.runnable.is_empty()
    }

    pub fn command(&mut self, command: Command) {
        match command {
            Command::Begin(token, submission) => self.begin(token, submission),
            Command::Fetched(token, fetched) => self.fetched(token, fetched),
            Command::Cancel(token) => drop(self.remove(token)),
            Command::Sweep => {
                let gone = |(token, active): (&Token, &Active)| {
                    active.submission.mailbox.is_closed().then_some(*token)
                };
                let tokens: Vec<_> = self.active.iter().filter_map(gone).collect();
                for token in tokens {
                    self.remove(token);
                }
            }
        }
    }

    /// The kernel says that a socket takes more, or has failed. Whether it was a transfer's.
    pub fn ready(&mut self, token: Token) -> bool {
        let Some(active) = self.active.get_mut(&token) else {
            return false;
        };
        STATS.wake_ups.add(1);
        if !active.queued && !active.fetching {
            active.queued = true;
            self.runnable.push_back(token);
        }
        true
    }

    /// Gives each transfer that can go on its turn.
    pub fn round(&mut self) {
        for _ in 0..self.runnable.len() {
            if let Some(token) = self.runnable.pop_front() {
                self.turn(token);
            }
        }
    }

    fn turn(&mut self, token: Token) {
        let Some(active) = self.active.get_mut(&token) else {
            return;
        };
        active.queued = false;
        let Submission { socket, transfer, progress, .. } = &mut *active.submission;
        let step = transfer.advance(&mut Socket::on_reactor(socket), QUANTUM);
        progress.set_sent(transfer.sent());
        self.after(token, step);
    }

    fn begin(&mut self, token: Token, mut submission: Box<Submission>) {
        let fd = submission.socket.as_raw_fd();
        if let Err(error) = self.registry.register(&mut SourceFd(&fd), token, Interest::WRITABLE) {
            let Submission { socket, id, mailbox, .. } = *submission;
            drop(socket);
            let refusal = Refusal::of("epoll_ctl")(error.into());
            mailbox.deliver(id, answer::failure(Failure::Wait(refusal)));
            return;
        }
        STATS.active.add(1);
        let step = std::mem::replace(&mut submission.step, Step::Yield);
        self.active.insert(token, Active { submission, queued: false, fetching: false });
        self.after(token, step);
    }

    fn fetched(&mut self, token: Token, fetched: Fetched) {
        let Some(active) = self.active.get_mut(&token) else {
            return;
        };
        active.fetching = false;
        let step = match active.submission.transfer.take(fetched) {
            Ok(()) => Step::Yield,
            Err(failure) => Step::Failed(failure),
        };
        self.after(token, step);
    }

    fn after(&mut self, token: Token, step: Step<File>) {
        match step {
            Step::Done => self.end(token, answer::DONE),
            Step::Failed(failure) => self.end(token, answer::failure(failure)),
            Step::Tail => self.hand_back(token),
            Step::WouldBlock => self.rearm(token),
            Step::Yield => {
                if let Some(active) = self.active.get_mut(&token) {
                    active.queued = true;
                    self.runnable.push_back(token);
                }
            }
            Step::Cold(wanted) => self.fetch(token, wanted),
        }
    }

    /// Its event comes. But events are edges, and where it was the file that answered EAGAIN, or a socket for want of
    /// memory (tcp(7), `tcp_mem`), the socket's has come already: registering anew tells of a socket that takes more as
    /// it is.
    fn rearm(&mut self, token: Token) {
        let Some(active) = self.active.get(&token) else { return };
        let fd = active.submission.socket.as_raw_fd();
        // Fails only if it is not registered, and it is, as long as it is active.
        let _ = self.registry.reregister(&mut SourceFd(&fd), token, Interest::WRITABLE);
    }

    fn fetch(&mut self, token: Token, wanted: Wanted<File>) {
        let Some(active) = self.active.get_mut(&token) else {
            return;
        };
        active.fetching = true;
        let reply = Arc::clone(&self.reply);
        let submitted = fetch(wanted, move |fetched| reply(Command::Fetched(token, fetched)));
        if let Err(refusal) = submitted {
            self.end(token, answer::failure(Failure::Wait(refusal)));
        }
    }

    fn end(&mut self, token: Token, answer: f64) {
        let Some(submission) = self.remove(token) else {
            return;
        };
        let Submission { socket, transfer, id, mailbox, .. } = *submission;
        // Before the answer: its receiver must be the last to hold the socket, and the file.
        drop(socket);
        drop(transfer);
        mailbox.deliver(id, answer);
    }

    fn hand_back(&mut self, token: Token) {
        let Some(submission) = self.remove(token) else {
            return;
        };
        let Submission { socket, transfer, progress, id, mailbox, .. } = *submission;
        drop(socket);
        progress.hand_back(transfer);
        mailbox.deliver(id, answer::TURN);
    }

    /// Deregisters it, before its socket is closed.
    fn remove(&mut self, token: Token) -> Option<Box<Submission>> {
        let Active { submission, .. } = self.active.remove(&token)?;
        STATS.active.decrement();
        let _ = self.registry.deregister(&mut SourceFd(&submission.socket.as_raw_fd()));
        Some(submission)
    }
}
