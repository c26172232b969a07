//! All connections of a run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::args::{Args, Mode};
use crate::connection::{Connection, Step, READ};
use crate::outcome::Outcome;
use crate::plan::Plan;

const EVENTS: usize = 1024;

/// How often it is told how things stand, and looked for those that hang.
const TELL: Duration = Duration::from_secs(5);

/// How soon the end of the input is seen.
const NOTICE: Duration = Duration::from_millis(500);

/// Nothing for so long is no busy machine any more: something hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Connections that are begun in one turn: the server has a backlog, and so has this loop.
const BATCH: usize = 64;

struct Run<'a> {
    args: &'a Args,
    poll: Poll,
    buffer: Vec<u8>,
    /// By token.
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// When something is due, for which slot, and which connection it was meant for.
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    begun: u64,
    begin: Instant,
    outcome: Outcome,
}

/// Returns the number of findings.
pub fn run(args: &Args) -> Result<u64, Box<dyn Error>> {
    let mut run = Run {
        args,
        poll: Poll::new()?,
        buffer: vec![0; READ],
        slots: (0..args.at_once).map(|_| None).collect(),
        free: (0..args.at_once).rev().collect(),
        timers: BinaryHeap::new(),
        begun: 0,
        begin: Instant::now(),
        outcome: Outcome::new()?,
    };
    let mut events = Events::with_capacity(EVENTS);
    let mut told = Instant::now();
    let has_ended = input_ends();
    while run.fill()? && !has_ended.load(Ordering::Relaxed) {
        run.poll.poll(&mut events, Some(run.until(told + TELL).min(NOTICE)))?;
        let is_over = run.is_over();
        for event in &events {
            run.turn(event.token().0, is_over, Connection::ready);
        }
        run.tick(is_over);
        if told.elapsed() >= TELL {
            told = Instant::now();
            run.look();
            run.outcome.tell(run.begin.elapsed(), run.open(), false);
        }
    }
    run.outcome.tell(run.begin.elapsed(), run.open(), true);
    Ok(run.outcome.findings)
}

/// Whether the input has ended, from when it does.
fn input_ends() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&ended);
    thread::spawn(move || {
        // However it ends.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        ends.store(true, Ordering::Relaxed);
    });
    ended
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.begin.elapsed() >= self.args.duration
    }

    fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Begins connections where there is room for them; whether anything is left to wait for.
    fn fill(&mut self) -> Result<bool, Box<dyn Error>> {
        for _ in 0..BATCH {
            if self.begun == self.args.connections || self.is_over() {
                return Ok(self.open() > 0);
            }
            let Some(slot) = self.free.pop() else {
                return Ok(true);
            };
            let number = self.args.first + self.begun;
            self.begun += 1;
            // What stalls stays a stalling one: half of those that are open do at any time.
            let plan = match self.args.mode {
                Mode::Short => Plan::new(self.args, number),
                Mode::Load => Plan::new(self.args, number << 1 | (slot as u64 & 1)),
            };
            let mut stream = TcpStream::connect(plan.address)?;
            if let Some(bytes) = plan.receive_buffer {
                set_socket_recv_buffer_size(&stream, bytes)?;
            }
            self.poll.registry().register(
                &mut stream,
                Token(slot),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            self.slots[slot] = Some(Connection::new(number, plan, stream));
        }
        Ok(true)
    }

    fn until(&self, end: Instant) -> Duration {
        let soonest = self.timers.peek().map_or(end, |Reverse((at, ..))| end.min(*at));
        let can_begin = !self.free.is_empty() && self.begun < self.args.connections && !self.is_over();
        if can_begin {
            Duration::ZERO
        } else {
            soonest.saturating_duration_since(Instant::now())
        }
    }

    fn turn(&mut self, slot: usize, is_over: bool, act: fn(&mut Connection, &mut [u8], bool) -> Step) {
        let Some(connection) = &mut self.slots[slot] else {
            return;
        };
        let step = act(connection, &mut self.buffer, is_over);
        self.outcome.answered(connection);
        match step {
            Step::Wait => return,
            Step::At(at) => {
                self.timers.push(Reverse((at, slot, connection.number)));
                return;
            }
            Step::Ended(end) => self.outcome.ended(end),
            Step::Wrong(what) => self.outcome.wrong(connection, &what),
        }
        self.slots[slot] = None;
        self.free.push(slot);
    }

    fn tick(&mut self, is_over: bool) {
        while let Some(&Reverse((at, slot, number))) = self.timers.peek() {
            if at > Instant::now() {
                return;
            }
            self.timers.pop();
            if self.slots[slot].as_ref().is_some_and(|connection| connection.number == number) {
                self.turn(slot, is_over, Connection::tick);
            }
        }
    }

    /// For those that hang.
    fn look(&mut self) {
        for slot in 0..self.slots.len() {
            let hangs = |connection: &Connection| {
                connection.waits_since().is_some_and(|since| since.elapsed() > PATIENCE)
            };
            if self.slots[slot].as_ref().is_some_and(hangs) {
                self.turn(slot, false, |_, _, _| Step::Wrong("nothing came any more".into()));
            }
        }
    }
}
