//! An environment's JavaScript thread, as lib/environment.js and lib/batch.js have it: requests, their answers, and
//! what an answer may be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread::{self, Thread};

use crate::completion::{Completions, Mailbox};
use crate::contents::{self, Piece};
use crate::engine::answer;
use crate::file::File;
use crate::kernel::{self, Open};
use crate::outbox::{Outbox, Sending};
use crate::plan;
use crate::poll::Token;
use crate::reactor::{Reactor, Watched};
use crate::sys::{self, OwnedFd};
use crate::transfer::{Part, Region, Transfer};

/// As FAILED_CALLS in lib/environment.js.
const CALLS: [&str; 8] =
    ["", "sendfile", "write", "read", "dup", "epoll_create", "epoll_ctl", "pthread_create"];
const FAILURE_KIND: i64 = 10_000;
/// Contents of bytes that are no file's.
const HEADS: u64 = 1_000;

/// Answers on their way to one environment.
struct Answers {
    queue: Mutex<VecDeque<(f64, f64)>>,
    is_closed: AtomicBool,
    thread: Thread,
    /// The socket of each request.
    sockets: Mutex<BTreeMap<u64, usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Completions for Answers {
    fn deliver(&self, id: f64, result: f64) {
        let socket = lock(&self.sockets).get(&id.to_bits()).copied();
        kernel::call(|kernel| {
            let Some(socket) = socket else { panic!("an answer to {id}, which nobody asked") };
            let numbers = kernel.numbers(Open::Socket(socket));
            assert!(numbers <= 1, "socket {socket} is open {numbers} times when {id} is answered {result}");
        });
        lock(&self.queue).push_back((id, result));
        self.thread.unpark();
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

/// What is under way on a connection.
struct Current {
    id: f64,
    kind: Underway,
    patience: Option<u32>,
}

enum Underway {
    List { total: u64, before: u64, promises_more: bool, may_copy: bool, files: Vec<Arc<File>> },
    Watch(Token),
}

struct Connection {
    socket: usize,
    fd: OwnedFd,
    requests: VecDeque<plan::Request>,
    current: Option<Current>,
}

/// Runs an environment to its end. `number`: which.
pub fn environment(number: usize, plan: plan::Environment) {
    let answers = Arc::new(Answers {
        queue: Mutex::default(),
        is_closed: AtomicBool::new(false),
        thread: thread::current(),
        sockets: Mutex::default(),
    });
    let mailbox: Mailbox = answers.clone();
    let connections = plan.connections.into_iter().map(|plan::Connection { capacity, requests }| {
        let (socket, fd) = kernel::with(|kernel| kernel.add_socket(capacity));
        Connection { socket, fd: OwnedFd::new(fd), requests: requests.into(), current: None }
    });
    let environment = Environment {
        connections: connections.collect(),
        outbox: Outbox::new(mailbox),
        answers,
        next: (number * 1_000_000) as f64,
        cancelled: BTreeSet::new(),
        closes: plan.closes,
    };
    environment.run();
}

struct Environment {
    connections: Vec<Connection>,
    outbox: Outbox,
    answers: Arc<Answers>,
    next: f64,
    /// Requests that were cancelled, whose answer may still arrive, once.
    cancelled: BTreeSet<u64>,
    closes: Option<u32>,
}

impl Environment {
    fn run(mut self) {
        loop {
            if self.closes == Some(0) {
                return self.close();
            }
            let arrived = lock(&self.answers.queue).pop_front();
            if let Some((id, result)) = arrived {
                self.answered(id, result);
            } else if let Some(at) = self.idle() {
                self.begin(at);
            } else if self.connections.iter().all(|connection| connection.current.is_none()) {
                break;
            } else if self.wears_out() {
                thread::yield_now();
            } else {
                thread::park();
            }
            self.closes = self.closes.map(|steps| steps - 1);
        }
        drop(self.connections);
        drop(self.outbox);
    }

    fn idle(&self) -> Option<usize> {
        self.connections
            .iter()
            .position(|connection| connection.current.is_none() && !connection.requests.is_empty())
    }

    /// A step nearer to the end of somebody's patience. Whether there is one to wait for.
    fn wears_out(&mut self) -> bool {
        let mut waits = self.closes.is_some();
        for at in 0..self.connections.len() {
            match self.connections[at].current.as_mut().map(|current| &mut current.patience) {
                Some(Some(0)) => self.cancel(at),
                Some(Some(steps)) => {
                    *steps -= 1;
                    waits = true;
                }
                _ => {}
            }
        }
        // What was cancelled may have been the last.
        waits || self.connections.iter().all(|connection| connection.current.is_none())
    }

    fn begin(&mut self, at: usize) {
        let Some(request) = self.connections[at].requests.pop_front() else { return };
        let id = self.next;
        self.next += 1.0;
        lock(&self.answers.sockets).insert(id.to_bits(), self.connections[at].socket);
        match request {
            plan::Request::List(list) => self.send(at, id, list),
            plan::Request::Watch { patience } => self.watch(at, id, patience),
        }
    }

    fn watch(&mut self, at: usize, id: f64, patience: Option<u32>) {
        let Ok(fd) = sys::duplicate(self.connections[at].fd.as_raw_fd()) else { return };
        let Ok(reactor) = Reactor::shared() else { return };
        let mailbox: Mailbox = self.answers.clone();
        if let Ok(token) = reactor.watch(Watched::Duplicate(fd), id, mailbox, answer::DONE) {
            self.connections[at].current = Some(Current { id, kind: Underway::Watch(token), patience });
        }
    }

    fn send(&mut self, at: usize, id: f64, list: plan::List) {
        // The loop turns now and then.
        if (id as u64).is_multiple_of(3) {
            self.outbox.turn();
        }
        let connection = &mut self.connections[at];
        let (mut parts, mut pieces, mut files) = (Vec::new(), Vec::new(), Vec::new());
        let mut promises_more = false;
        for part in list.parts {
            let (piece, part) = match part {
                plan::Part::Bytes(len) => {
                    let piece = Piece { pattern: HEADS + id as u64, offset: total(&pieces), len };
                    let mut bytes = vec![0; len as usize];
                    contents::fill(piece.pattern, piece.offset, &mut bytes);
                    (piece, Part::Bytes(bytes))
                }
                plan::Part::Region { file, offset, len } => {
                    let (pattern, size) =
                        kernel::with(|kernel| (kernel.inodes[file].pattern, kernel.inodes[file].len));
                    promises_more |= offset + len > size;
                    let Ok(file) = File::of(sys::open_inode(file)) else { panic!("a regular file") };
                    let file = Arc::new(file);
                    files.push(Arc::clone(&file));
                    (Piece { pattern, offset, len }, Part::Region(Region { file, offset, len }))
                }
            };
            pieces.push(piece);
            parts.push(part);
        }
        let total = total(&pieces);
        let before = kernel::with(|kernel| {
            kernel.expect(connection.socket, &pieces);
            kernel.sockets[connection.socket].received
        });
        let kind = Underway::List { total, before, promises_more, may_copy: list.may_copy, files };
        connection.current = Some(Current { id, kind, patience: list.patience });
        let transfer = Transfer::new(parts, false, list.may_copy);
        let sending = self.outbox.transfer(id, connection.fd.as_raw_fd(), transfer, list.holds_tail);
        // As of `proceed` in lib/environment.js: what is done at once was never kept.
        match sending {
            Sending::Done(sent) => self.done(at, sent),
            other => self.proceed(at, other),
        }
    }

    fn proceed(&mut self, at: usize, sending: Sending) {
        let Some(Current { id, .. }) = self.connections[at].current else { return };
        match sending {
            Sending::Pending => {}
            Sending::Done(_) => {
                let sent = self.outbox.forget(id);
                self.done(at, sent);
            }
            Sending::Failed(failure) => self.failed(at, answer::failure(failure)),
        }
    }

    fn answered(&mut self, id: f64, result: f64) {
        let known =
            |connection: &Connection| connection.current.as_ref().is_some_and(|current| current.id == id);
        let Some(at) = self.connections.iter().position(known) else {
            assert!(self.cancelled.remove(&id.to_bits()), "{id} is answered {result} behind its end");
            return;
        };
        let connection = &mut self.connections[at];
        if let Some(Current { kind: Underway::Watch(_), .. }) = connection.current {
            assert!(result == answer::DONE, "a watch is answered {result}");
            connection.current = None;
        } else if result == answer::TURN {
            let sending = self.outbox.finish(id, connection.fd.as_raw_fd());
            self.proceed(at, sending);
        } else if result < 0.0 {
            self.failed(at, result);
        } else {
            assert!(result == answer::DONE, "{id} is answered {result}");
            let sent = self.outbox.forget(id);
            self.done(at, sent);
        }
    }

    fn done(&mut self, at: usize, sent: u64) {
        let connection = &mut self.connections[at];
        let Some(Current { id, kind: Underway::List { total, before, .. }, .. }) = connection.current.take()
        else {
            panic!("a watch is no list")
        };
        let received = kernel::with(|kernel| kernel.sockets[connection.socket].received) - before;
        assert!(
            sent == total && received == total,
            "{id} of {total} bytes is done with {sent}, and {received} arrived"
        );
    }

    fn failed(&mut self, at: usize, result: f64) {
        let connection = &mut self.connections[at];
        let Some(Current { id, kind, .. }) = connection.current.take() else { return };
        let Underway::List { total, before, promises_more, may_copy, files } = kind else {
            panic!("a watch that fails")
        };
        let sent = self.outbox.forget(id);
        let failure = -result as i64;
        let (call, errno) = (CALLS[(failure / FAILURE_KIND) as usize], (failure % FAILURE_KIND) as i32 - 1);
        kernel::with(|kernel| {
            let socket = &kernel.sockets[connection.socket];
            let injected = &kernel.injected;
            assert!(
                sent == socket.received - before,
                "{id} failed with {sent} of {} bytes",
                socket.received - before
            );
            assert!(sent <= total, "{id} sent {sent} of {total}");
            let is_broken = socket.broken.is_some_and(|broken| broken.0 == errno);
            let refused = !may_copy && errno == libc::EINVAL;
            let is_meant = match call {
                "" => promises_more || injected.truncations > 0,
                "sendfile" => is_broken || refused || errno == libc::EIO && injected.send_failures > 0,
                "write" => is_broken,
                "read" => {
                    errno == libc::EIO && injected.read_failures > 0
                        || errno == libc::EAGAIN && injected.no_thread > 0
                }
                "epoll_create" => errno == libc::EMFILE && injected.no_descriptor > 0,
                "epoll_ctl" => errno == libc::ENOSPC && injected.no_place > 0,
                "pthread_create" => errno == libc::EAGAIN && injected.no_thread > 0,
                _ => false,
            };
            assert!(is_meant, "{id} failed with {call} {errno}, which nobody caused");
        });
        drop(files);
        self.hang_up(at);
    }

    fn cancel(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        let Some(Current { id, kind, .. }) = connection.current.take() else { return };
        match kind {
            Underway::Watch(token) => {
                for reactor in Reactor::started() {
                    reactor.cancel(token);
                }
            }
            Underway::List { before, files, .. } => {
                // lib/ ends the connection first. The engine has to forget it in any case.
                let socket = connection.socket;
                let ends = (id as u64).is_multiple_of(2);
                kernel::call(
                    |kernel| if ends { kernel.break_off(socket, libc::EPIPE) } else { kernel.stall(socket) },
                );
                let sent = self.outbox.cancel(id);
                let received = kernel::with(|kernel| kernel.sockets[connection.socket].received) - before;
                assert!(sent <= received, "{id} was cancelled with {sent}, and {received} arrived");
                drop(files);
            }
        }
        connection.requests.clear();
        self.cancelled.insert(id.to_bits());
    }

    fn hang_up(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.requests.clear();
        let socket = connection.socket;
        kernel::call(|kernel| kernel.break_off(socket, libc::EPIPE));
    }

    /// As the hook of src/environment.rs, when the environment goes; its objects go after it.
    fn close(self) {
        for Connection { socket, .. } in &self.connections {
            kernel::with(|kernel| kernel.stall(*socket));
        }
        self.answers.is_closed.store(true, Ordering::Release);
        for reactor in Reactor::started() {
            reactor.cancel_closed();
        }
        drop(self.outbox);
        drop(self.connections);
    }
}

fn total(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.len).sum()
}
