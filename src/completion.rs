//! How an answer from another thread reaches the JavaScript that waits for it.

use std::sync::Arc;

/// Where the answers for one environment (main thread or worker) go. Shared with the threads that
/// work for it, and safe to call after the environment has gone: the answer is then dropped.
pub trait Completions: Send + Sync {
    /// Delivers `result` (bytes, or a negative errno) to whoever waits for `id`.
    fn deliver(&self, id: f64, result: f64);

    /// Whether the environment has gone, so that work on its behalf is pointless.
    fn is_closed(&self) -> bool;
}

/// The answers of one environment, as its threads hold them.
pub type Mailbox = Arc<dyn Completions>;

/// Doubles for tests.
#[cfg(test)]
pub mod fake {
    use super::{Completions, Mailbox};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{channel, Receiver, Sender};
    use std::sync::{Arc, Mutex};

    pub struct FakeMailbox {
        sender: Mutex<Sender<(f64, f64)>>,
        closed: AtomicBool,
    }

    impl FakeMailbox {
        pub fn new() -> (Arc<Self>, Receiver<(f64, f64)>) {
            let (sender, receiver) = channel();
            (Arc::new(Self { sender: Mutex::new(sender), closed: AtomicBool::new(false) }), receiver)
        }

        pub fn close(&self) {
            self.closed.store(true, Ordering::Release);
        }

        pub fn shared(self: &Arc<Self>) -> Mailbox {
            self.clone()
        }
    }

    impl Completions for FakeMailbox {
        fn deliver(&self, id: f64, result: f64) {
            // The test may have stopped listening.
            let _ = self.sender.lock().unwrap().send((id, result));
        }

        fn is_closed(&self) -> bool {
            self.closed.load(Ordering::Acquire)
        }
    }
}
