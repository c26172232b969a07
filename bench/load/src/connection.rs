//! One connection: requests out, heads in, bodies away.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};

use crate::head::{self, Head};
use crate::target::Target;

/// A head is far shorter, and a small body comes with it.
const READ: usize = 16 << 10;

/// What is thrown away by one call at most.
const DISCARD: usize = 1 << 20;

/// What a response has to be.
pub struct Wanted {
    pub status: u16,
    pub length: Option<u64>,
}

/// Where bytes arrive.
pub struct Buffers {
    read: Vec<u8>,
    /// Never written to: its length is what the kernel may throw away.
    discard: Vec<u8>,
}

impl Buffers {
    pub fn new() -> Buffers {
        Buffers { read: vec![0; READ], discard: vec![0; DISCARD] }
    }
}

/// What is wrong with a connection; it is not used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Status,
    /// No Content-Length, or what is no HTTP/1.1.
    Framing,
    /// A Content-Length other than expected.
    Length,
    /// Closed within a body.
    Short,
    /// Closed where an answer was due.
    Closed,
    /// Bytes that nobody asked for.
    Excess,
}

/// What one receive brought.
#[derive(Default)]
pub struct Received {
    /// Of bodies.
    pub bytes: u64,
    /// Responses that are complete: when each was asked for.
    pub answered: Vec<Instant>,
    /// The server closed the connection, as it said it would.
    pub closed: bool,
    pub would_block: bool,
}

pub struct Connection {
    pub socket: TcpStream,
    /// When each request on its way was sent.
    asked: VecDeque<Instant>,
    /// The beginning of a head.
    head: Vec<u8>,
    /// The response whose body is coming, and what is left of it.
    body: Option<(Head, u64)>,
    closes: bool,
}

impl Connection {
    pub fn new(socket: TcpStream) -> Connection {
        Connection { socket, asked: VecDeque::new(), head: Vec::new(), body: None, closes: false }
    }

    /// Sends so many requests at once.
    pub fn ask(&mut self, target: &mut Target, count: usize) -> io::Result<()> {
        let now = Instant::now();
        if count == 1 {
            self.socket.write_all(target.next())?;
        } else {
            let requests: Vec<u8> = (0..count).flat_map(|_| target.next().to_vec()).collect();
            self.socket.write_all(&requests)?;
        }
        self.asked.extend((0..count).map(|_| now));
        Ok(())
    }

    /// Takes what has come, by one system call: `limit` bytes at most.
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        wanted: &Wanted,
        limit: usize,
    ) -> Result<Received, Fault> {
        let (bytes, is_body) = match &self.body {
            Some((_, left)) => {
                let most = limit.min(DISCARD).min(usize::try_from(*left).unwrap_or(DISCARD));
                (recv(&self.socket, &mut buffers.discard[..most], RecvFlags::TRUNC), true)
            }
            None => {
                let most = limit.min(READ);
                (recv(&self.socket, &mut buffers.read[..most], RecvFlags::empty()), false)
            }
        };
        let mut received = Received::default();
        match bytes {
            Ok((_, 0)) if self.body.is_some() => return Err(Fault::Short),
            Ok((_, 0)) if self.closes => received.closed = true,
            Ok((_, 0)) => return Err(Fault::Closed),
            Ok((_, bytes)) if is_body => self.take_body(bytes as u64, &mut received),
            Ok((_, bytes)) => self.take(&buffers.read[..bytes], wanted, &mut received)?,
            Err(Errno::AGAIN | Errno::INTR) => received.would_block = true,
            Err(_) if self.body.is_some() => return Err(Fault::Short),
            Err(_) => return Err(Fault::Closed),
        }
        Ok(received)
    }

    /// Bytes that begin where a head does.
    fn take(&mut self, bytes: &[u8], wanted: &Wanted, received: &mut Received) -> Result<(), Fault> {
        let mut all = std::mem::take(&mut self.head);
        let mut rest = if all.is_empty() {
            bytes
        } else {
            all.extend_from_slice(bytes);
            &all
        };
        while !rest.is_empty() {
            if self.asked.is_empty() {
                return Err(Fault::Excess);
            }
            let Some((head, begin)) = head::parse(rest).map_err(|_| Fault::Framing)? else {
                self.head = rest.to_vec();
                return Ok(());
            };
            if head.status != wanted.status {
                return Err(Fault::Status);
            }
            if wanted.length.is_some_and(|length| length != head.length) {
                return Err(Fault::Length);
            }
            let length = head.length;
            self.body = Some((head, length));
            let here = length.min((rest.len() - begin) as u64);
            self.take_body(here, received);
            rest = &rest[begin + here as usize..];
        }
        Ok(())
    }

    fn take_body(&mut self, bytes: u64, received: &mut Received) {
        received.bytes += bytes;
        let Some((head, left)) = &mut self.body else {
            return;
        };
        *left -= bytes;
        if *left == 0 {
            self.closes |= head.closes;
            self.body = None;
            received.answered.extend(self.asked.pop_front());
        }
    }

    /// Whether the server said that it closes: no further request is answered here.
    pub fn closes(&self) -> bool {
        self.closes
    }
}
