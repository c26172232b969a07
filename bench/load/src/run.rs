//! Connections that ask again and again.

use std::collections::VecDeque;
use std::error::Error;
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{epoll, Timespec};
use rustix::io::Errno;

use crate::args::Args;
use crate::connection::{Buffers, Connection, Fault, Wanted};
use crate::cpu;
use crate::report::Report;
use crate::target::Target;

const EVENTS: usize = 256;

/// How often slow readers read.
const TICK: Duration = Duration::from_millis(50);

struct Load<'a> {
    args: &'a Args,
    target: Target,
    wanted: Wanted,
    epoll: OwnedFd,
    /// None: it had a fault.
    connections: Vec<Option<Connection>>,
    buffers: Buffers,
    report: Report,
    /// Connections that pause, and until when: in order.
    pausing: VecDeque<(Instant, usize)>,
}

/// Whether nothing went wrong.
pub fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let mut load = Load {
        args,
        target: Target::new(args),
        wanted: Wanted { status: args.status, length: args.expect },
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        buffers: Buffers::new(),
        report: Report::new()?,
        pausing: VecDeque::new(),
    };
    for _ in 0..args.connections {
        load.connections.push(None);
    }
    // A connection may take long to be accepted: all are there before the first request is sent.
    for index in 0..args.connections {
        load.connect(index)?;
    }
    let (mut begin, mut before) = (Instant::now(), cpu::read(&args.pids)?);
    for index in 0..args.connections {
        load.ask(index, args.pipeline);
    }
    if !args.warm.is_zero() {
        load.until(begin + args.warm, None)?;
        load.report.restart();
        (begin, before) = (Instant::now(), cpu::read(&args.pids)?);
    }
    load.until(begin + args.seconds, args.requests)?;
    let (elapsed, cpu) = (begin.elapsed(), cpu::read(&args.pids)? - before);
    load.report.print(elapsed, cpu);
    Ok(load.report.errors() == 0)
}

impl Load<'_> {
    fn connect(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let socket = self.target.connect()?;
        if self.args.rate.is_none() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        }
        self.connections[index] = Some(Connection::new(socket));
        Ok(())
    }

    fn ask(&mut self, index: usize, count: usize) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        if connection.ask(&mut self.target, count).is_err() {
            self.fault(index, Fault::Closed);
        }
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        self.report.fault(fault);
        self.connections[index] = None;
    }

    /// Goes on until then, or until so many requests are answered, or nobody is left to ask.
    fn until(&mut self, end: Instant, requests: Option<u64>) -> Result<(), Box<dyn Error>> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            let is_enough = requests.is_some_and(|requests| self.report.requests >= requests);
            if now >= end || is_enough || self.connections.iter().all(Option::is_none) {
                return Ok(());
            }
            match self.args.rate {
                Some(rate) => self.tick(now, rate)?,
                None => self.wait(&mut events, end)?,
            }
            while self.pausing.front().is_some_and(|(until, _)| *until <= Instant::now()) {
                if let Some((_, index)) = self.pausing.pop_front() {
                    self.ask(index, 1);
                }
            }
        }
    }

    /// Takes from every connection that has something.
    fn wait(&mut self, events: &mut Vec<epoll::Event>, end: Instant) -> Result<(), Box<dyn Error>> {
        let until = self.pausing.front().map_or(end, |(until, _)| end.min(*until));
        let timeout = Timespec::try_from(until.saturating_duration_since(Instant::now()))?;
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            self.receive(event.data.u64() as usize, usize::MAX)?;
        }
        Ok(())
    }

    /// Takes what slow readers take in one tick.
    fn tick(&mut self, begin: Instant, rate: usize) -> Result<(), Box<dyn Error>> {
        let most = (rate as f64 * TICK.as_secs_f64()) as usize;
        for index in 0..self.connections.len() {
            let mut left = most;
            while left > 0 {
                let taken = self.receive(index, left)?;
                if taken == 0 {
                    break;
                }
                left -= taken.min(left);
            }
        }
        sleep(TICK.saturating_sub(begin.elapsed()));
        Ok(())
    }

    /// The bytes of bodies that were there: one call's.
    fn receive(&mut self, index: usize, limit: usize) -> Result<usize, Box<dyn Error>> {
        let Some(connection) = &mut self.connections[index] else {
            return Ok(0);
        };
        let received = match connection.receive(&mut self.buffers, &self.wanted, limit) {
            Ok(received) => received,
            Err(fault) => {
                self.fault(index, fault);
                return Ok(0);
            }
        };
        self.report.bytes += received.bytes;
        for asked in &received.answered {
            self.report.answered(*asked);
        }
        if received.closed {
            self.connect(index)?;
            self.ask(index, self.args.pipeline);
        } else if !received.answered.is_empty() && !connection.closes() {
            if self.args.pause.is_zero() {
                self.ask(index, received.answered.len());
            } else {
                self.pausing.push_back((Instant::now() + self.args.pause, index));
            }
        }
        Ok(received.bytes as usize)
    }
}
