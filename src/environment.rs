//! One environment of Node (the main thread, or a worker): its mailbox, its threads, its end.

use std::collections::HashMap;
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};

use crate::completion::Completions;
use crate::disk::Disk;
use crate::file::{AtOnce, File};
use crate::outbox::Outbox;
use crate::poll::Token;
use crate::pool::{Job, Pool};
use crate::reactor::{Reactor, Watched};
use crate::root::Root;
use crate::sys::{self, Errno, Refusal};

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

/// What an environment has under way. Lives on its JS thread.
pub struct Environment {
    mailbox: Arc<NodeMailbox>,
    pool: Pool,
    /// Files that are open for JavaScript, each by the request that opened it.
    files: Arc<Mutex<HashMap<u64, Arc<File>>>>,
    /// The gather lists that it sends.
    pub outbox: Outbox,
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
        let outbox = Outbox::new(mailbox.clone());
        Ok(Self { mailbox, pool, files: Arc::default(), outbox })
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
