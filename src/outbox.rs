//! The gather lists of one environment, as its JavaScript thread sends them: what goes at once, what the engine takes
//! over, and what it hands back.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::completion::Mailbox;
use crate::engine::{answer, Command, Progress, Submission};
use crate::fetch::fetch;
use crate::file::File;
use crate::poll::Token;
use crate::reactor::{Reactor, Watched};
use crate::socket::Socket;
use crate::stats::STATS;
use crate::sys::{self, Errno, Refusal};
use crate::transfer::{Failure, Part, Region, Step, Transfer, SMALL};

/// A write of up to so many bytes leaves on the JavaScript thread, as far as the socket takes them: a file of 1 MiB with
/// its head.
const INLINE_BYTES: u64 = 1024 * 1024 + 64 * 1024;

/// Of a longer one the first bytes, with its head: the engine has to take it over in any case.
const FIRST_BYTES: u64 = SMALL;

/// Bytes that a transfer which is driven from the JavaScript thread may send there before others have their turn.
const DRIVEN_BYTES: u64 = 256 * 1024;

/// Bytes that all writes of one turn of the loop may send there: the loop stays free when many transfers begin at
/// once.
const INLINE_TURN: u64 = 16 * 1024 * 1024;

/// A gather list under way, as JavaScript may ask for it.
struct Outgoing {
    progress: Arc<Progress>,
    /// Cancels what is waited for.
    token: Option<Token>,
}

/// What is sent. Lives on the JavaScript thread.
pub struct Outbox {
    mailbox: Mailbox,
    /// Gather lists that are not all in the kernel, each by its request.
    outgoing: RefCell<HashMap<u64, Outgoing>>,
    /// Bytes that were sent on this thread in this turn of its loop.
    sent_in_turn: Cell<u64>,
}

impl Outbox {
    /// One that is empty, whose answers go to `mailbox`.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, outgoing: RefCell::default(), sent_in_turn: Cell::new(0) }
    }

    /// The loop has turned.
    pub fn turn(&self) {
        self.sent_in_turn.set(0);
    }

    /// Sends a gather list: what can go at once on this thread, the rest by the engine.
    /// `holds_tail`: the last bytes are left for this thread.
    pub fn transfer(
        &self,
        id: f64,
        socket: RawFd,
        mut transfer: Transfer<File>,
        holds_tail: bool,
    ) -> Sending {
        STATS.transfers.add(1);
        let step = self.begin(socket, &mut transfer);
        transfer.set_holds_tail(holds_tail);
        match step {
            Step::Done => Sending::Done(transfer.sent()),
            step => self.go_on(id, socket, transfer, step, Arc::default()),
        }
    }

    /// Sends a head and `len` bytes of a file, as far as that goes at once. Returns bytes in the kernel, of both.
    pub fn answer(&self, socket: RawFd, head: &[u8], file: Arc<File>, offset: u64, len: u64) -> u64 {
        // A small region will be read right behind it.
        let mut bytes = Vec::with_capacity(head.len() + len.min(SMALL) as usize);
        bytes.extend_from_slice(head);
        let parts = vec![Part::Bytes(bytes), Part::Region(Region { file, offset, len })];
        let mut transfer = Transfer::new(parts, false, true);
        if let Step::Done = self.begin(socket, &mut transfer) {
            STATS.transfers.add(1);
        }
        transfer.sent()
    }

    /// Sends what was handed back: the tail, or the next bytes of a transfer that is driven from here.
    pub fn finish(&self, id: f64, socket: RawFd) -> Sending {
        let progress =
            self.outgoing.borrow().get(&id.to_bits()).map(|outgoing| Arc::clone(&outgoing.progress));
        let Some((progress, mut transfer)) =
            progress.and_then(|progress| progress.take_back().map(|transfer| (progress, transfer)))
        else {
            return Sending::Done(self.sent(id));
        };
        let step = if transfer.holds_tail() {
            transfer.finish(&mut Socket::inline(&socket))
        } else {
            self.advance(socket, &mut transfer, DRIVEN_BYTES)
        };
        self.go_on(id, socket, *transfer, step, progress)
    }

    /// Bytes of an outgoing gather list that are in the kernel.
    pub fn sent(&self, id: f64) -> u64 {
        self.outgoing.borrow().get(&id.to_bits()).map_or(0, |outgoing| outgoing.progress.sent())
    }

    /// Forgets an outgoing gather list that is at its end. Returns what is in the kernel.
    pub fn forget(&self, id: f64) -> u64 {
        let outgoing = self.outgoing.borrow_mut().remove(&id.to_bits());
        outgoing.map_or(0, |Outgoing { progress, .. }| progress.sent())
    }

    /// Cancels an outgoing gather list, and forgets it; an answer that is on its way still arrives.
    /// Returns what is in the kernel.
    pub fn cancel(&self, id: f64) -> u64 {
        let Some(Outgoing { progress, token }) = self.outgoing.borrow_mut().remove(&id.to_bits()) else {
            return 0;
        };
        drop(progress.take_back());
        if let Some(token) = token {
            for reactor in Reactor::started() {
                // Either is right: a transfer, or the watch of one that is driven from this thread.
                reactor.cancel(token);
                reactor.command(Command::Cancel(token));
            }
        }
        progress.sent()
    }

    fn go_on(
        &self,
        id: f64,
        socket: RawFd,
        transfer: Transfer<File>,
        step: Step<File>,
        progress: Arc<Progress>,
    ) -> Sending {
        progress.set_sent(transfer.sent());
        let begun = match step {
            Step::Done => return Sending::Done(transfer.sent()),
            Step::Failed(failure) => Err(failure),
            step => self.hand_over(id, socket, transfer, step, &progress),
        };
        let token = *begun.as_ref().unwrap_or(&None);
        self.outgoing.borrow_mut().insert(id.to_bits(), Outgoing { progress, token });
        begun.map_or_else(Sending::Failed, |_| Sending::Pending)
    }

    /// To the engine. The token cancels what it does.
    fn hand_over(
        &self,
        id: f64,
        socket: RawFd,
        transfer: Transfer<File>,
        step: Step<File>,
        progress: &Arc<Progress>,
    ) -> std::result::Result<Option<Token>, Failure> {
        let reactor = Reactor::shared().map_err(Failure::Wait)?;
        let socket = match sys::duplicate(socket) {
            Ok(duplicate) => duplicate,
            Err(Errno(libc::EMFILE | libc::ENFILE)) => {
                return self.drive(id, socket, transfer, step, progress, &reactor).map_err(Failure::Wait)
            }
            Err(errno) => return Err(Failure::Wait(Refusal::of("dup")(errno))),
        };
        let mailbox = Arc::clone(&self.mailbox);
        let submission = Submission { socket, transfer, step, progress: Arc::clone(progress), id, mailbox };
        Ok(Some(reactor.begin(submission)))
    }

    /// Goes on from this thread, turn by turn, because there is no descriptor for the engine.
    fn drive(
        &self,
        id: f64,
        socket: RawFd,
        mut transfer: Transfer<File>,
        step: Step<File>,
        progress: &Arc<Progress>,
        reactor: &Reactor,
    ) -> std::result::Result<Option<Token>, Refusal> {
        transfer.set_holds_tail(false);
        progress.hand_back(transfer);
        let mailbox = Arc::clone(&self.mailbox);
        match step {
            Step::WouldBlock => reactor
                .watch(Watched::Number(socket), id, mailbox, answer::TURN)
                .map(Some)
                .map_err(Refusal::of("epoll_ctl")),
            Step::Cold(wanted) => {
                let progress = Arc::clone(progress);
                let then = move |fetched| match progress.take(fetched) {
                    Some(Ok(())) => mailbox.deliver(id, answer::TURN),
                    Some(Err(failure)) => mailbox.deliver(id, answer::failure(failure)),
                    None => {} // cancelled
                };
                fetch(wanted, then).map(|()| None)
            }
            _ => {
                mailbox.deliver(id, answer::TURN);
                Ok(None)
            }
        }
    }

    fn begin(&self, socket: RawFd, transfer: &mut Transfer<File>) -> Step<File> {
        let most = if transfer.remaining() > INLINE_BYTES { FIRST_BYTES } else { INLINE_BYTES };
        self.advance(socket, transfer, most)
    }

    fn advance(&self, socket: RawFd, transfer: &mut Transfer<File>, most: u64) -> Step<File> {
        let used = self.sent_in_turn.get();
        let budget = most.min(INLINE_TURN.saturating_sub(used));
        if budget == 0 {
            return Step::Yield;
        }
        let before = transfer.sent();
        let step = transfer.advance(&mut Socket::inline(&socket), budget);
        self.sent_in_turn.set(used + transfer.sent() - before);
        step
    }
}

/// How a gather list fares.
pub enum Sending {
    /// All of it is in the kernel.
    Done(u64),
    /// It cannot go on.
    Failed(Failure),
    /// An answer will be delivered.
    Pending,
}
