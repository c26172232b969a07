//! The threads of the asynchronous call: one `sendfile(2)` a job, away from the JavaScript thread
//! and from libuv's pool, because a blocking destination may hold a thread for as long as it likes.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{unbounded, Receiver, RecvTimeoutError, Sender};

use crate::completion::Mailbox;
use crate::sys;

/// Most threads an environment gets. A blocked call holds one, and nobody else's work runs on them.
const MAX_THREADS: usize = 4;

/// A thread without work ends after so long.
const IDLE: Duration = Duration::from_secs(5);

/// Enough for one system call and the completion; the default of 2 MiB is address space for nothing.
const STACK_BYTES: usize = 128 * 1024;

/// One asynchronous call. It owns its descriptors, so whatever happens to the caller's numbers
/// meanwhile, its bytes come from and go to the files that were meant.
#[derive(Debug)]
pub struct Job {
    /// Who waits: handed back with the answer.
    pub id: f64,
    /// Where the bytes go.
    pub output: OwnedFd,
    /// Where they come from.
    pub input: OwnedFd,
    /// Where to start, or `None` for the input's own position.
    pub offset: Option<i64>,
    /// How many bytes at most.
    pub len: usize,
}

/// The threads of one environment. They start when needed, and end when there is nothing to do, or
/// when the pool is dropped and their current call has returned. A pool per environment, so that a worker that was terminated
/// with its calls blocked takes no thread from the others.
pub struct Pool {
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    mailbox: Mailbox,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    threads: usize,
    /// Jobs submitted and not yet answered.
    unanswered: usize,
}

impl Pool {
    /// A pool without threads, whose answers go to `mailbox`.
    pub fn new(mailbox: Mailbox) -> Self {
        let (jobs, queue) = unbounded();
        Self { jobs, queue, mailbox, counts: Arc::default() }
    }

    /// Queues `job`; its answer goes to the mailbox.
    ///
    /// # Errors
    /// The errno of starting a thread, when none runs yet and the first is refused: nothing was queued.
    pub fn submit(&self, job: Job) -> sys::Result<()> {
        let mut counts = lock(&self.counts);
        if counts.unanswered >= counts.threads && counts.threads < MAX_THREADS {
            match self.start_thread() {
                Ok(()) => counts.threads += 1,
                Err(errno) if counts.threads == 0 => return Err(errno),
                Err(_) => {} // the threads that run will come to it
            }
        }
        counts.unanswered += 1;
        // Cannot fail: this pool holds a receiver.
        let _ = self.jobs.send(job);
        Ok(())
    }

    fn start_thread(&self) -> sys::Result<()> {
        let queue = self.queue.clone();
        let mailbox = Arc::clone(&self.mailbox);
        let counts = Arc::clone(&self.counts);
        thread::Builder::new().name("sendfile-call".into()).stack_size(STACK_BYTES).spawn(move || {
            sys::block_signals();
            serve(&queue, &mailbox, &counts);
        })?;
        Ok(())
    }
}

/// Until the pool is dropped, or there has been nothing to do for a while.
fn serve(queue: &Receiver<Job>, mailbox: &Mailbox, counts: &Mutex<Counts>) {
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(job) => {
                run(job, mailbox);
                lock(counts).unanswered -= 1;
            }
            Err(RecvTimeoutError::Timeout) => {
                let mut counts = lock(counts);
                // Not with a job on its way that no other thread is free for.
                if counts.unanswered < counts.threads {
                    counts.threads -= 1;
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(job: Job, mailbox: &Mailbox) {
    if mailbox.is_closed() {
        return;
    }
    let Job { id, output, input, offset, len } = job;
    let moved = sys::sendfile(&output, &input, offset, len);
    // Before the answer: once the caller knows, closing its own descriptor must be what the peer sees.
    drop((output, input));
    mailbox.deliver(id, crate::number(moved));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::fake::FakeMailbox;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    const SOON: Duration = Duration::from_secs(20);

    fn zeros(id: f64, output: OwnedFd, len: usize) -> Job {
        let input = File::open("/proc/self/exe").unwrap().into();
        Job { id, output, input, offset: Some(0), len }
    }

    /// Both ends of a blocking stream whose write end is full.
    fn full_stream() -> (UnixStream, UnixStream) {
        let (mut out, peer) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        while out.write(&[0; 4096]).is_ok() {}
        out.set_nonblocking(false).unwrap();
        (out, peer)
    }

    #[test]
    fn a_blocked_call_stops_no_other_until_all_threads_are_taken() {
        let (mailbox, answers) = FakeMailbox::new();
        let pool = Pool::new(mailbox.shared());
        let blocked: Vec<_> = (1..MAX_THREADS).map(|_| full_stream()).collect();
        for (out, _) in &blocked {
            pool.submit(zeros(1.0, out.try_clone().unwrap().into(), 4096)).unwrap();
        }
        let (out, _peer) = UnixStream::pair().unwrap();
        pool.submit(zeros(2.0, out.into(), 100)).unwrap();
        assert_eq!(answers.recv_timeout(SOON), Ok((2.0, 100.0)));

        for (out, mut peer) in blocked {
            drop(out);
            thread::spawn(move || peer.read_to_end(&mut Vec::new()));
            assert_eq!(answers.recv_timeout(SOON), Ok((1.0, 4096.0)));
        }
    }

    #[test]
    fn jobs_of_an_environment_that_has_gone_are_dropped_unsent() {
        let (mailbox, answers) = FakeMailbox::new();
        let pool = Pool::new(mailbox.shared());
        mailbox.close();
        let (out, mut peer) = UnixStream::pair().unwrap();
        pool.submit(zeros(1.0, out.into(), 100)).unwrap();
        drop((pool, mailbox));

        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        assert_eq!(received, []);
        assert!(answers.recv().is_err(), "the thread has gone, and left no answer");
    }
}
