//! What threads share, and wait for, under a scheduler that tries every order: shuttle's.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::panic::resume_unwind;
use std::sync::{Arc, LockResult};

pub use shuttle::sync::{atomic, Mutex, MutexGuard};

use crate::kernel;

/// In the same order for the same seed.
pub type HashMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A static of one run.
macro_rules! process_wide {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        shuttle::lazy_static! {
            $(#[$attribute])*
            static ref $name: $type = $value;
        }
    };
}

pub(crate) use process_wide;

/// A run is over: unwinds the stack of a thread that would wait for ever.
pub struct Over;

/// Ends the calling thread, if the run is over.
pub fn end_with_run() {
    if kernel::with(|kernel| kernel.is_over) {
        resume_unwind(Box::new(Over));
    }
}

/// shuttle's, where a wait ends with the run.
#[derive(Default)]
pub struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        if kernel::with(|kernel| kernel.is_over) {
            drop(guard);
            self.0.notify_all();
            end_with_run();
            unreachable!("a run that is over stays over");
        }
        self.0.wait(guard)
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Where a channel's messages go in.
pub struct Sender<T>(Arc<Mutex<VecDeque<T>>>);

/// There is none now.
#[derive(Debug)]
pub struct TryRecvError;

/// Where they come out, in the same order.
pub struct Receiver<T>(Arc<Mutex<VecDeque<T>>>);

/// A channel without a bound.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let messages = Arc::new(Mutex::new(VecDeque::new()));
    (Sender(Arc::clone(&messages)), Receiver(messages))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<T> Sender<T> {
    pub fn send(&self, message: T) -> Result<(), T> {
        lock(&self.0).push_back(message);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        lock(&self.0).pop_front().ok_or(TryRecvError)
    }
}

/// Threads, which the kernel may refuse.
pub mod thread {
    use super::Over;
    use crate::kernel;
    use std::io;
    use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

    pub use shuttle::thread::sleep;

    #[derive(Default)]
    pub struct Builder;

    impl Builder {
        pub fn new() -> Self {
            Self
        }

        pub fn name(self, _name: String) -> Self {
            self
        }

        pub fn stack_size(self, _bytes: usize) -> Self {
            self
        }

        pub fn spawn(self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
            kernel::with(kernel::Kernel::start_thread)
                .map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
            shuttle::thread::spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                    if !panic.is::<Over>() {
                        resume_unwind(panic);
                    }
                }
            });
            Ok(())
        }
    }
}
