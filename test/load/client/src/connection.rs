//! One connection: what it does at each turn, and what it makes of what comes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustix::net::sockopt::set_socket_linger;

use crate::args::Kind;
use crate::body::Body;
use crate::head;
use crate::plan::{Leaving, Plan};

/// What is read at once.
pub const READ: usize = 64 << 10;

/// A head is far shorter.
const LONGEST_HEAD: usize = 4096;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Head,
    Body,
    Thinking,
    Leaving,
}

/// How one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With everything that it asked for.
    Complete,
    /// By leaving.
    Left,
    /// By the server, where that may be.
    Cut,
    /// The server was not there, where that may be.
    Refused,
}

/// What follows.
#[derive(Debug)]
pub enum Step {
    /// More comes from the server.
    Wait,
    /// `tick` is due then.
    At(Instant),
    Ended(End),
    /// What should never be.
    Wrong(String),
}

pub struct Connection {
    pub number: u64,
    pub plan: Plan,
    pub stream: TcpStream,
    phase: Phase,
    /// Bytes of everything.
    received: u64,
    head: Vec<u8>,
    body: Body,
    /// Of the body that comes.
    length: u64,
    answered: u32,
    asked: Instant,
    progress: Instant,
    /// Bytes of bodies that were right.
    pub verified: u64,
    /// And bytes that the kernel had cleared.
    pub cleared: u64,
    /// How long each answer took.
    pub answers: Vec<Duration>,
}

impl Connection {
    pub fn new(number: u64, plan: Plan, stream: TcpStream) -> Connection {
        let now = Instant::now();
        Connection {
            number,
            body: Body::new(plan.file.id, plan.file.shrinks),
            length: plan.file.size,
            plan,
            stream,
            phase: Phase::Connecting,
            received: 0,
            head: Vec::new(),
            answered: 0,
            asked: now,
            progress: now,
            verified: 0,
            cleared: 0,
            answers: Vec::new(),
        }
    }

    /// Since when it has waited for the server, if it does.
    pub fn waits_since(&self) -> Option<Instant> {
        matches!(self.phase, Phase::Connecting | Phase::Head | Phase::Body).then_some(self.progress)
    }

    /// The socket has become readable or writable.
    pub fn ready(&mut self, buffer: &mut [u8], is_over: bool) -> Step {
        match self.phase {
            Phase::Connecting => match self.stream.take_error() {
                Ok(Some(error)) | Err(error) => self.lost(&error, is_over),
                Ok(None) => match self.stream.peer_addr() {
                    Ok(_) => self.begin(buffer, is_over),
                    Err(_) => Step::Wait,
                },
            },
            Phase::Head | Phase::Body | Phase::Thinking => self.read(buffer, is_over),
            Phase::Leaving if is_over => self.drain(buffer),
            Phase::Leaving => Step::Wait,
        }
    }

    /// The end of a run is the server's to make: whoever stalls stays until then.
    fn drain(&mut self, buffer: &mut [u8]) -> Step {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Step::Ended(End::Cut),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Step::Ended(End::Cut),
            }
        }
    }

    /// The time has come that the step before named.
    pub fn tick(&mut self, buffer: &mut [u8], is_over: bool) -> Step {
        match self.phase {
            Phase::Leaving if !is_over => {
                if self.plan.leave.as_ref().is_some_and(|leave| leave.how == Leaving::Reset) {
                    // A socket that the server has reset already cannot be told.
                    let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
                }
                Step::Ended(End::Left)
            }
            Phase::Thinking if !is_over => {
                self.body = Body::new(self.plan.file.id, self.plan.file.shrinks);
                self.ask(buffer, is_over)
            }
            _ => Step::Wait,
        }
    }

    fn begin(&mut self, buffer: &mut [u8], is_over: bool) -> Step {
        match &self.plan.leave {
            Some(leave) if leave.at.is_none() => {
                let after = leave.after;
                if self.plan.is_partial {
                    let request = self.request();
                    let part = request.len() / 2;
                    if let Err(error) = self.stream.write_all(&request[..part]) {
                        return self.lost(&error, is_over);
                    }
                }
                self.leave(after)
            }
            _ => self.ask(buffer, is_over),
        }
    }

    fn ask(&mut self, buffer: &mut [u8], is_over: bool) -> Step {
        (self.asked, self.progress) = (Instant::now(), Instant::now());
        self.phase = if self.plan.kind == Kind::Http { Phase::Head } else { Phase::Body };
        let request = self.request();
        if let Err(error) = self.stream.write_all(&request) {
            return self.lost(&error, is_over);
        }
        if self.plan.half_closes {
            if let Err(error) = self.stream.shutdown(Shutdown::Write) {
                return self.lost(&error, is_over);
            }
        }
        match &self.plan.leave {
            Some(leave) if leave.at == Some(0) => self.leave(leave.after),
            _ => self.read(buffer, is_over),
        }
    }

    fn request(&self) -> Vec<u8> {
        let Plan { kind, way, file, .. } = &self.plan;
        match kind {
            Kind::Http => format!("GET /{way}/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", file.id).into_bytes(),
            Kind::Raw | Kind::Mortal => format!("{way} {}\n", file.id).into_bytes(),
        }
    }

    fn leave(&mut self, after: Duration) -> Step {
        self.phase = Phase::Leaving;
        Step::At(Instant::now() + after)
    }

    fn read(&mut self, buffer: &mut [u8], is_over: bool) -> Step {
        loop {
            let most = match &self.plan.leave {
                Some(leave) => leave.at.unwrap_or(0).saturating_sub(self.received).min(buffer.len() as u64),
                None => buffer.len() as u64,
            };
            match self.stream.read(&mut buffer[..most as usize]) {
                Ok(0) => return self.ended(is_over),
                Ok(bytes) => {
                    self.progress = Instant::now();
                    self.received += bytes as u64;
                    if let Err(wrong) = self.take(&buffer[..bytes]) {
                        return Step::Wrong(wrong);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(&error, is_over),
            }
            if let Some(leave) = &self.plan.leave {
                if leave.at.is_some_and(|at| self.received >= at) {
                    return self.leave(leave.after);
                }
            }
            if self.plan.kind == Kind::Http
                && self.phase == Phase::Body
                && self.body.position() == self.length
            {
                self.answers.push(self.asked.elapsed());
                self.answered += 1;
                if self.answered >= self.plan.requests {
                    return Step::Ended(End::Complete);
                }
                self.phase = Phase::Thinking;
                return Step::At(Instant::now() + self.plan.think);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self.phase {
            Phase::Head => {
                self.head.extend_from_slice(bytes);
                if self.head.len() > LONGEST_HEAD + READ {
                    return Err("a head without an end".into());
                }
                let all = std::mem::take(&mut self.head);
                let Some((head, begin)) = head::parse(&all).map_err(|_| {
                    format!("no head of HTTP/1.1: {}", String::from_utf8_lossy(&all[..all.len().min(200)]))
                })?
                else {
                    self.head = all;
                    return Ok(());
                };
                let text = String::from_utf8_lossy(&all[..begin]);
                let file = self.plan.file;
                let is_right = head.length == file.size || (file.shrinks && head.length < file.size);
                if head.status != 200 || !is_right {
                    return Err(format!("not the head of a file of {} bytes: {text}", file.size));
                }
                self.length = head.length;
                self.phase = Phase::Body;
                self.take_body(&all[begin..])
            }
            Phase::Body => self.take_body(bytes),
            Phase::Connecting | Phase::Thinking | Phase::Leaving => {
                Err(format!("{} bytes that nobody asked for", bytes.len()))
            }
        }
    }

    fn take_body(&mut self, bytes: &[u8]) -> Result<(), String> {
        let left = self.length - self.body.position();
        if bytes.len() as u64 > left {
            return Err(format!("{} bytes more than the file has", bytes.len() as u64 - left));
        }
        self.verified += bytes.len() as u64;
        let taken = self.body.take(bytes);
        self.cleared += std::mem::take(&mut self.body.cleared);
        taken.map_err(|wrong| format!("at {} came {:02x?}", wrong.position, wrong.bytes))
    }

    /// The server has nothing more to say.
    fn ended(&self, is_over: bool) -> Step {
        let is_whole =
            self.plan.kind != Kind::Http && self.phase == Phase::Body && self.body.position() == self.length;
        if is_whole {
            Step::Ended(End::Complete)
        } else if self.may_be_cut() || is_over {
            Step::Ended(End::Cut)
        } else {
            Step::Wrong(format!(
                "the end came in {:?}, at {} of {}",
                self.phase,
                self.body.position(),
                self.length
            ))
        }
    }

    fn lost(&self, error: &io::Error, is_over: bool) -> Step {
        match error.kind() {
            ErrorKind::ConnectionRefused if self.plan.kind == Kind::Mortal => Step::Ended(End::Refused),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
                if self.may_be_cut() || is_over =>
            {
                Step::Ended(End::Cut)
            }
            _ => Step::Wrong(format!(
                "{error} in {:?}, at {} of {}",
                self.phase,
                self.body.position(),
                self.length
            )),
        }
    }

    fn may_be_cut(&self) -> bool {
        self.plan.file.shrinks || self.plan.kind == Kind::Mortal
    }
}
