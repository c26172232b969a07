//! The threads that may wait for a disk. They hold files and never a socket: what they wait for, no
//! connection waits for with them.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::sync::{process_wide, thread, Condvar, HashMap, Mutex, MutexGuard};
use crate::sys;

/// Threads of the process, at most. They start when needed.
const MAX_THREADS: usize = 8;

/// Of those, so many may wait for one device: a mount that is dead stops nobody else.
const MAX_PER_DEVICE: usize = MAX_THREADS / 2;

const STACK_BYTES: usize = 128 * 1024;

type Work = Box<dyn FnOnce() + Send>;

/// Work that waits for a device, in the order it came.
pub struct Disk {
    state: Mutex<State>,
    work_came: Condvar,
}

struct State {
    queue: VecDeque<(u64, Work)>,
    /// Running, by device.
    running: Option<HashMap<u64, usize>>,
    threads: usize,
    idle: usize,
}

process_wide! {
    static SHARED: Disk = Disk {
        state: Mutex::new(State { queue: VecDeque::new(), running: None, threads: 0, idle: 0 }),
        work_came: Condvar::new(),
    };
}

impl Disk {
    /// The threads of this process.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// Does `work`, that may wait for `device`, on one of the threads.
    ///
    /// # Errors
    /// The errno of starting a thread, when there is none.
    pub fn submit(&'static self, device: u64, work: Work) -> sys::Result<()> {
        let mut state = self.lock();
        if state.idle <= state.queue.len() && state.threads < MAX_THREADS {
            let started = thread::Builder::new().name("sendfile-disk".into()).stack_size(STACK_BYTES).spawn(
                move || {
                    sys::block_signals();
                    self.run();
                },
            );
            match started {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => return Err(error.into()),
                Err(_) => {} // the threads that run will come to it
            }
        }
        state.queue.push_back((device, work));
        drop(state);
        self.work_came.notify_one();
        Ok(())
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let Some((device, work)) = state.take() else {
                state.idle += 1;
                state = self.work_came.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            // A panic must not take the thread's place at the device with it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            state = self.lock();
            state.done(device); // lets one more work begin at most, and this thread is there for it
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first work whose device has not its share of the threads already.
    fn take(&mut self) -> Option<(u64, Work)> {
        let running = self.running.get_or_insert_default();
        let free = |device: &u64| running.get(device).is_none_or(|count| *count < MAX_PER_DEVICE);
        let index = self.queue.iter().position(|(device, _)| free(device))?;
        let (device, work) = self.queue.remove(index)?;
        *running.entry(device).or_default() += 1;
        Some((device, work))
    }

    fn done(&mut self, device: u64) {
        let running = self.running.get_or_insert_default();
        if let Some(count) = running.get_mut(&device) {
            *count -= 1;
            if *count == 0 {
                running.remove(&device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_device_that_never_answers_holds_half_of_the_threads() {
        let (release, held) = channel::<()>();
        let held = std::sync::Arc::new(Mutex::new(held));
        for _ in 0..MAX_THREADS * 2 {
            let held = std::sync::Arc::clone(&held);
            SHARED.submit(1, Box::new(move || assert!(held.lock().unwrap().recv().is_err()))).unwrap();
        }
        let (sender, done) = channel();
        for device in 2..20 {
            let sender = sender.clone();
            SHARED.submit(device, Box::new(move || sender.send(device).unwrap())).unwrap();
        }
        for _ in 2..20 {
            done.recv_timeout(SOON).unwrap();
        }
        drop(release);
        SHARED.submit(1, Box::new(move || sender.send(1).unwrap())).unwrap();
        assert_eq!(done.recv_timeout(SOON), Ok(1));
    }
}
