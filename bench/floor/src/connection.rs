//! One client: its request, and how much of the answer has gone.

use std::io::{self, Read};
use std::net::TcpStream;

use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{send, SendFlags};

use crate::files::Files;

/// What a connection sends before others have their turn.
const TURN: usize = 2 << 20;

const READ: usize = 4096;
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// What a connection does next.
pub enum Progress {
    /// Nothing, until the kernel tells.
    Waits,
    /// More, when the others have had their turn.
    Yields,
    Ended,
}

struct Answer {
    path: Vec<u8>,
    /// Of the head, then of the file.
    head_sent: usize,
    offset: u64,
}

pub struct Connection {
    socket: TcpStream,
    requests: Vec<u8>,
    answer: Option<Answer>,
    /// Whether it waits for a turn.
    pub is_queued: bool,
}

impl Connection {
    pub fn new(socket: TcpStream) -> Connection {
        Connection { socket, requests: Vec::new(), answer: None, is_queued: false }
    }

    pub fn go_on(&mut self, files: &Files) -> Progress {
        self.is_queued = false;
        let mut left = TURN;
        loop {
            if self.answer.is_none() {
                match self.next_request() {
                    Ok(true) => {}
                    Ok(false) => return Progress::Ended,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Waits,
                    Err(_) => return Progress::Ended,
                }
            }
            match self.send(files, &mut left) {
                Ok(true) => self.answer = None,
                Ok(false) => return Progress::Yields,
                Err(Errno::AGAIN) => return Progress::Waits,
                Err(_) => return Progress::Ended,
            }
        }
    }

    /// Reads until a request is complete: false when the client has no more.
    fn next_request(&mut self) -> io::Result<bool> {
        loop {
            if let Some(end) = self.requests.windows(4).position(|window| window == b"\r\n\r\n") {
                let path =
                    self.requests[..end].split(|byte| *byte == b' ').nth(1).unwrap_or_default().to_vec();
                self.requests.drain(..end + 4);
                self.answer = Some(Answer { path, head_sent: 0, offset: 0 });
                return Ok(true);
            }
            let mut bytes = [0; READ];
            match self.socket.read(&mut bytes)? {
                0 => return Ok(false),
                count => self.requests.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// Whether the answer is through; if not, the turn is.
    fn send(&mut self, files: &Files, left: &mut usize) -> Result<bool, Errno> {
        let Some(answer) = &mut self.answer else {
            return Ok(true);
        };
        let Some(entry) = files.find(&answer.path) else {
            send(&self.socket, NOT_FOUND, SendFlags::NOSIGNAL)?;
            return Ok(true);
        };
        while answer.head_sent < entry.head.len() {
            let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
            answer.head_sent += send(&self.socket, &entry.head[answer.head_sent..], flags)?;
        }
        while answer.offset < entry.length {
            if *left == 0 {
                return Ok(false);
            }
            let most = usize::try_from(entry.length - answer.offset).map_or(*left, |rest| rest.min(*left));
            match sendfile(&self.socket, &entry.file, Some(&mut answer.offset), most)? {
                0 => return Err(Errno::IO), // the file is shorter than it was
                sent => *left -= sent,
            }
        }
        Ok(true)
    }
}
