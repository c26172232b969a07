//! Native readiness: a thread with an epoll set (epoll(7)), shared by all environments. It serves
//! those who only wait, the watches, and runs the [`Engine`], whose transfers go on when they can.
//!
//! A watch is one-shot. It owns a duplicate of the socket's descriptor, so that the number may be
//! closed and reused without its events reaching somebody else, and it is deregistered before that
//! duplicate is closed: epoll follows the open file, not the number.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use crate::completion::Mailbox;
use crate::engine::{Command, Engine, Submission};
use crate::poll::{Events, Interest, Poll, Registry, SourceFd, Token, Waker};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{process_wide, thread, unbounded, HashMap, Mutex, MutexGuard, Receiver, Sender};
use crate::sys::{self, OwnedFd, Refusal};

/// Readiness events taken from the kernel at once.
const EVENTS: usize = 256;
const STACK_BYTES: usize = 128 * 1024;

process_wide! {
    /// The process's reactors, once something is waited for.
    static SHARED: Mutex<Reactors> = Mutex::new(Reactors { started: Vec::new(), turn: 0 });
}

/// One serves thousands of connections; more are for more cores than one can fill (`SENDFILE_THREADS`).
const DEFAULT_REACTORS: usize = 1;
const MAX_REACTORS: usize = 64;

struct Reactors {
    started: Vec<Arc<Reactor>>,
    /// Whose turn it is to take a transfer.
    turn: usize,
}

struct Watch {
    fd: Watched,
    id: f64,
    mailbox: Mailbox,
    answer: f64,
}

/// After an error that cannot be.
const PAUSE: Duration = Duration::from_millis(10);

/// The event that means: there are commands.
const WAKE: Token = Token(usize::MAX);

/// Waits for descriptors to become writable.
pub struct Reactor {
    registry: Registry,
    watches: Mutex<Watches>,
    commands: Sender<Command>,
    waker: Waker,
}

/// What is watched.
pub enum Watched {
    /// A duplicate of ours.
    Duplicate(OwnedFd),
    /// A number that stays the socket's own, for want of a duplicate: the watch is cancelled before the
    /// socket is closed.
    Number(RawFd),
}

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Duplicate(fd) => fd.as_raw_fd(),
            Self::Number(fd) => *fd,
        }
    }
}

type Watches = HashMap<Token, Watch>;

/// A token is never reused, so that a late event cannot be taken for another's.
fn next_token() -> Token {
    process_wide! {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
    }
    Token(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Reactor {
    /// One of the reactors of this process: each in turn.
    ///
    /// # Errors
    /// What the system refused it: an epoll set, or a thread.
    pub fn shared() -> Result<Arc<Self>, Refusal> {
        let mut reactors = lock(&SHARED);
        reactors.turn = (reactors.turn + 1) % reactors_wanted();
        let turn = reactors.turn;
        if turn >= reactors.started.len() {
            match Self::start() {
                Ok(reactor) => reactors.started.push(reactor),
                Err(refusal) if reactors.started.is_empty() => return Err(refusal),
                Err(_) => {} // those that run take it
            }
        }
        Ok(Arc::clone(&reactors.started[turn % reactors.started.len()]))
    }

    /// The reactors of this process, if anything was ever waited for.
    pub fn started() -> Vec<Arc<Self>> {
        lock(&SHARED).started.clone()
    }

    fn start() -> Result<Arc<Self>, Refusal> {
        let (reactor, poll, engines, received) =
            Self::create().map_err(|error| Refusal::of("epoll_create")(error.into()))?;
        let running = Arc::clone(&reactor);
        thread::Builder::new()
            .name("sendfile-epoll".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                sys::block_signals();
                sys::be_considerate();
                let replies = Arc::clone(&running);
                let engine = Engine::new(engines, Arc::new(move |command| replies.command(command)));
                running.run(poll, engine, &received);
            })
            .map_err(|error| Refusal::of("pthread_create")(error.into()))?;
        Ok(reactor)
    }

    fn create() -> io::Result<(Arc<Self>, Poll, Registry, Receiver<Command>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let (commands, received) = unbounded();
        let registry = poll.registry().try_clone()?;
        let engines = poll.registry().try_clone()?;
        let reactor = Self { registry, watches: Mutex::default(), commands, waker };
        Ok((Arc::new(reactor), poll, engines, received))
    }

    /// Hands a transfer to the engine. The returned token cancels it.
    pub fn begin(&self, submission: Submission) -> Token {
        let token = next_token();
        self.command(Command::Begin(token, Box::new(submission)));
        token
    }

    /// Sends the engine a command, from any thread.
    pub fn command(&self, command: Command) {
        // The thread that receives them never ends, and an eventfd's counter cannot overflow with one
        // addition a command.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }

    /// Delivers `answer` to `id` once, when `fd` is writable, or has failed or been hung up, so
    /// that the next write says what is the matter. The returned token cancels it.
    ///
    /// # Errors
    /// The errno of `epoll_ctl(2)`: `EPERM` when the file cannot be waited for, `ENOSPC`, `ENOMEM`.
    pub fn watch(&self, fd: Watched, id: f64, mailbox: Mailbox, answer: f64) -> sys::Result<Token> {
        let mut watches = lock(&self.watches);
        let token = next_token();
        // Registered under the lock, which the reactor's thread takes before it looks for the watch.
        self.registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::WRITABLE)?;
        watches.insert(token, Watch { fd, id, mailbox, answer });
        Ok(token)
    }

    /// Forgets a watch and closes its descriptor. One that was delivered already is no error.
    pub fn cancel(&self, token: Token) {
        self.remove(&mut lock(&self.watches), token);
    }

    /// Forgets everything whose environment has gone.
    pub fn cancel_closed(&self) {
        self.command(Command::Sweep);
        let mut watches = lock(&self.watches);
        let gone: Vec<_> =
            watches.iter().filter(|(_, watch)| watch.mailbox.is_closed()).map(|(token, _)| *token).collect();
        for token in gone {
            self.remove(&mut watches, token);
        }
    }

    /// Deregisters, then closes. All of it under the lock, so that after `cancel` a number that is only
    /// watched can be closed and used again.
    fn remove(&self, watches: &mut Watches, token: Token) -> Option<Watch> {
        let watch = watches.remove(&token)?;
        // Fails only if it is not registered, and then there is nothing to undo.
        let _ = self.registry.deregister(&mut SourceFd(&watch.fd.as_raw_fd()));
        Some(watch)
    }

    fn fire(&self, token: Token) {
        let watch = self.remove(&mut lock(&self.watches), token);
        if let Some(Watch { fd, id, mailbox, answer }) = watch {
            drop(fd);
            mailbox.deliver(id, answer);
        }
    }

    fn run(&self, mut poll: Poll, mut engine: Engine, commands: &Receiver<Command>) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let wait = engine.is_busy().then_some(Duration::ZERO);
            match poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // None of epoll_wait(2)'s other errors can be the system's doing. Whatever it is, it must
                // neither end the waiting of everybody nor take a whole core.
                Err(_) => thread::sleep(PAUSE),
            }
            for event in &events {
                if event.token() == WAKE || engine.ready(event.token()) {
                    continue;
                }
                self.fire(event.token());
            }
            while let Ok(command) = commands.try_recv() {
                engine.command(command);
            }
            engine.round();
        }
    }
}

/// `SENDFILE_THREADS`, where it says something sensible.
fn reactors_wanted() -> usize {
    static WANTED: OnceLock<usize> = OnceLock::new();
    *WANTED.get_or_init(|| {
        let value = std::env::var("SENDFILE_THREADS").ok().and_then(|value| value.parse().ok());
        value.filter(|wanted| (1..=MAX_REACTORS).contains(wanted)).unwrap_or(DEFAULT_REACTORS)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks leaves its data half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::fake::FakeMailbox;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::TryRecvError;

    const SOON: Duration = Duration::from_secs(20);

    fn full_stream() -> (UnixStream, UnixStream) {
        let (mut out, peer) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        while out.write(&[0; 4096]).is_ok() {}
        (out, peer)
    }

    fn empty(peer: &mut UnixStream) {
        while peer.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {}
    }

    fn copy(stream: &UnixStream) -> Watched {
        Watched::Duplicate(stream.try_clone().unwrap().into())
    }

    #[test]
    fn fires_once_when_the_peer_has_made_room() {
        let reactor = Reactor::start().unwrap();
        let (mailbox, answers) = FakeMailbox::new();
        let (mut out, mut peer) = full_stream();
        reactor.watch(copy(&out), 7.0, mailbox.shared(), 0.0).unwrap();
        assert_eq!(answers.try_recv(), Err(TryRecvError::Empty));

        empty(&mut peer);
        assert_eq!(answers.recv_timeout(SOON), Ok((7.0, 0.0)));
        while out.write(&[0; 4096]).is_ok() {}
        empty(&mut peer);

        // A second watch that does fire shows that the reactor has seen everything before it.
        reactor.watch(copy(&out), 8.0, mailbox.shared(), 0.0).unwrap();
        assert_eq!(answers.recv_timeout(SOON), Ok((8.0, 0.0)));
        assert_eq!(answers.try_recv(), Err(TryRecvError::Empty));
        assert!(lock(&reactor.watches).is_empty());
    }

    #[test]
    fn fires_when_the_peer_has_gone() {
        let reactor = Reactor::start().unwrap();
        let (mailbox, answers) = FakeMailbox::new();
        let (out, peer) = full_stream();
        reactor.watch(copy(&out), 1.0, mailbox.shared(), 0.0).unwrap();
        drop(peer);
        assert_eq!(answers.recv_timeout(SOON), Ok((1.0, 0.0)));
    }

    #[test]
    fn a_cancelled_watch_closes_its_descriptor_and_stays_silent() {
        let reactor = Reactor::start().unwrap();
        let (mailbox, answers) = FakeMailbox::new();
        let (out, mut peer) = full_stream();
        let token = reactor.watch(copy(&out), 1.0, mailbox.shared(), 0.0).unwrap();
        drop(out);
        reactor.cancel(token);
        reactor.cancel(token);

        empty(&mut peer);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer sees the end at once");
        assert_eq!(answers.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn an_environment_that_has_gone_takes_its_watches_with_it() {
        let reactor = Reactor::start().unwrap();
        let (mailbox, _answers) = FakeMailbox::new();
        let (other, others_answers) = FakeMailbox::new();
        let (out, mut peer) = full_stream();
        reactor.watch(copy(&out), 1.0, mailbox.shared(), 0.0).unwrap();
        reactor.watch(copy(&out), 2.0, other.shared(), 0.0).unwrap();
        mailbox.close();
        reactor.cancel_closed();
        assert_eq!(lock(&reactor.watches).len(), 1);
        empty(&mut peer);
        assert_eq!(others_answers.recv_timeout(SOON), Ok((2.0, 0.0)));
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused() {
        let reactor = Reactor::start().unwrap();
        let (mailbox, _answers) = FakeMailbox::new();
        let file = File::open("/proc/self/exe").unwrap();
        assert_eq!(
            reactor.watch(Watched::Duplicate(file.into()), 1.0, mailbox.shared(), 0.0),
            Err(sys::Errno(libc::EPERM))
        );
        assert!(lock(&reactor.watches).is_empty());
    }
}
