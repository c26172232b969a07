//! One environment of Node (the main thread, or a worker): its mailbox, its threads, its end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Token;
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};

use crate::completion::Completions;
use crate::disk::Disk;
use crate::engine::{answer, Command, Progress, Submission};
use crate::fetch::fetch;
use crate::file::{AtOnce, File};
use crate::pool::{Job, Pool};
use crate::reactor::{Reactor, Watched};
use crate::root::Root;
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

/// `deliver(id, result)`. Weak: it does not keep the event loop alive by itself.
type Deliver = ThreadsafeFunction<(f64, f64), (), FnArgs<(f64, f64)>, Status, false, true>;

struct NodeMailbox {
    deliver: Deliver,
    closed: AtomicBool,
}

impl Completions for NodeMailbox {
    fn deliver(&self, id: f64, result: f64) {
        // `Closing` is the only refusal of an unbounded queue, and then nobody waits any more.
        self.deliver.call((id, result), ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A gather list under way, as JavaScript may ask for it.
struct Outgoing {
    progress: Arc<Progress>,
    /// Cancels what is waited for.
    token: Option<Token>,
}

/// What an environment has under way. Lives on its JS thread.
pub struct Environment {
    mailbox: Arc<NodeMailbox>,
    pool: Pool,
    /// Files that are open for JavaScript, each by the request that opened it.
    files: Arc<Mutex<HashMap<u64, Arc<File>>>>,
    /// Gather lists that are not all in the kernel, each by its request.
    outgoing: RefCell<HashMap<u64, Outgoing>>,
    /// Bytes that were sent on this thread in this turn of its loop.
    sent_in_turn: Cell<u64>,
}

impl Environment {
    /// An environment whose answers go to `deliver(id, result)`.
    pub fn new(env: &Env, deliver: Function<FnArgs<(f64, f64)>, ()>) -> Result<Self> {
        let deliver = deliver
            .build_threadsafe_function::<(f64, f64)>()
            .weak::<true>()
            .build_callback(|call| Ok(FnArgs::from(call.value)))?;
        let mailbox = Arc::new(NodeMailbox { deliver, closed: AtomicBool::new(false) });
        env.add_env_cleanup_hook(Arc::clone(&mailbox), |mailbox| {
            mailbox.closed.store(true, Ordering::Release);
            for reactor in Reactor::started() {
                reactor.cancel_closed();
            }
        })?;
        let pool = Pool::new(mailbox.clone());
        let (files, outgoing) = (Arc::default(), RefCell::default());
        Ok(Self { mailbox, pool, files, outgoing, sent_in_turn: Cell::new(0) })
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
        self.pool.submit(Job { id, output, input, offset, len }).map_err(Refusal::of("pthread_create"))
    }

    /// Delivers 0 to `id` once, when `fd` is writable. The token cancels that.
    pub fn watch(&self, id: f64, fd: RawFd) -> std::result::Result<Token, Refusal> {
        let fd = sys::duplicate(fd).map_err(Refusal::of("dup"))?;
        let reactor = Reactor::shared()?;
        reactor.watch(Watched::Duplicate(fd), id, self.mailbox.clone(), 0.0).map_err(Refusal::of("epoll_ctl"))
    }

    /// Opens a path on a disk's thread; 0, or a negative errno, is delivered to `id`.
    pub fn open(&self, id: f64, path: CString) -> std::result::Result<(), Refusal> {
        // Files of one folder are as a rule on the same device.
        let folder = path.as_bytes().rsplitn(2, |byte| *byte == b'/').nth(1);
        self.on_disk(id, device_for(&folder), move || File::open(&path))
    }

    /// The same below a root.
    pub fn open_beneath(&self, id: f64, root: Arc<Root>, name: CString) -> std::result::Result<(), Refusal> {
        // Other folders below it may be on other devices.
        let first = name.as_bytes().split(|byte| *byte == b'/').next();
        let device = device_for(&(root.path(), first));
        self.on_disk(id, device, move || root.open(&name))
    }

    /// Keeps what was opened without waiting.
    ///
    /// # Errors
    /// `EAGAIN` where it could not be; otherwise that of opening it.
    pub fn take(&self, id: f64, opened: AtOnce) -> sys::Result<Arc<File>> {
        match opened {
            AtOnce::Opened(file) => Ok(self.keep(id, file)),
            AtOnce::Refused(errno) => Err(errno),
            AtOnce::MayWait => Err(Errno(libc::EAGAIN)),
        }
    }

    /// The same of a descriptor that stays the caller's: it is duplicated at once.
    pub fn adopt(&self, id: f64, fd: RawFd) -> std::result::Result<(), Refusal> {
        let fd = sys::duplicate(fd).map_err(Refusal::of("dup"))?;
        self.on_disk(id, 0, move || File::of(fd))
    }

    /// The same at once, where that cannot wait.
    pub fn adopt_at_once(&self, id: f64, fd: RawFd) -> Option<Arc<File>> {
        Some(self.keep(id, File::at_once(sys::duplicate(fd).ok()?)?))
    }

    fn keep(&self, id: f64, file: File) -> Arc<File> {
        let file = Arc::new(file);
        lock(&self.files).insert(id.to_bits(), Arc::clone(&file));
        file
    }

    fn on_disk(
        &self,
        id: f64,
        device: u64,
        open: impl FnOnce() -> sys::Result<File> + Send + 'static,
    ) -> std::result::Result<(), Refusal> {
        let mailbox = Arc::clone(&self.mailbox);
        let files = Arc::clone(&self.files);
        let work = move || {
            if mailbox.is_closed() {
                return;
            }
            let answer = match open() {
                Ok(file) => {
                    lock(&files).insert(id.to_bits(), Arc::new(file));
                    0.0
                }
                Err(errno) => -f64::from(errno.0),
            };
            mailbox.deliver(id, answer);
        };
        Disk::shared().submit(device, Box::new(work)).map_err(Refusal::of("pthread_create"))
    }

    /// The file that `open` or `adopt` delivered 0 for, until it is closed.
    pub fn file(&self, id: f64) -> Option<Arc<File>> {
        lock(&self.files).get(&id.to_bits()).cloned()
    }

    /// Gives a file up. It is closed when no transfer has it any more.
    pub fn close_file(&self, id: f64) {
        let file = lock(&self.files).remove(&id.to_bits());
        drop(file); // not under the lock
    }

    /// Whether the file is another than when it was opened: at once where that cannot wait, or else
    /// delivered to `id`, as 0 or 1.
    pub fn has_changed(&self, id: f64, file: Arc<File>) -> Option<bool> {
        // A file system that knows what is in memory is local, and its fstat(2) waits for nobody.
        if !file.is_copied() {
            return Some(file.has_changed().unwrap_or(true));
        }
        let mailbox = Arc::clone(&self.mailbox);
        let device = file.status().device;
        let work = move || {
            let changed = file.has_changed().unwrap_or(true);
            drop(file);
            mailbox.deliver(id, if changed { 1.0 } else { 0.0 });
        };
        // Without a thread to ask, it may have.
        Disk::shared().submit(device, Box::new(work)).is_err().then_some(true)
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
    pub fn answer(&self, socket: RawFd, head: &[u8], id: f64, offset: u64, len: u64) -> u64 {
        let Some(file) = self.file(id) else {
            return 0;
        };
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
        let mailbox = self.mailbox.clone();
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
        let mailbox = self.mailbox.clone();
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
                fetch(wanted, then).map(|()| None).map_err(Refusal::of("pthread_create"))
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

/// A number for the device that this is on, which is not known yet.
fn device_for(place: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody who holds one of these locks leaves its data half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
