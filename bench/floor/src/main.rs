//! The least that a server of files can do: one thread, epoll, a head that is ready, sendfile(2). It looks at nothing
//! of a request but its path, and opens each file of its folder once, when it starts. What others need beyond it is
//! what they do beyond it.
//!
//! `bench-floor <folder>` says on which port of 127.0.0.1 it listens, and serves until it is killed.

mod connection;
mod files;

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::{epoll, Timespec};
use rustix::io::Errno;

use crate::connection::{Connection, Progress};
use crate::files::Files;

const EVENTS: usize = 256;
const LISTENER: u64 = u64::MAX;
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

struct Server {
    files: Files,
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections that would take more at once, and let others have their turn.
    ready: VecDeque<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: bench-floor <folder>")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("on port {}", listener.local_addr()?.port());
    let mut server = Server {
        files: Files::open(folder.as_ref())?,
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        listener,
        connections: Vec::new(),
        free: Vec::new(),
        ready: VecDeque::new(),
    };
    epoll::add(&server.epoll, &server.listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    server.serve()
}

impl Server {
    fn serve(&mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let timeout = (!self.ready.is_empty()).then_some(&NOW);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    index => self.go_on(index as usize),
                }
            }
            for _ in 0..self.ready.len() {
                if let Some(index) = self.ready.pop_front() {
                    self.go_on(index);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(index as u64), flags)?;
            self.connections[index] = Some(Connection::new(socket));
        }
    }

    fn go_on(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        match connection.go_on(&self.files) {
            Progress::Waits => {}
            Progress::Yields => {
                if !connection.is_queued {
                    connection.is_queued = true;
                    self.ready.push_back(index);
                }
            }
            Progress::Ended => {
                // Its place in the queue, if it has one, finds nobody or a newcomer, whom a turn does no harm.
                self.connections[index] = None;
                self.free.push(index);
            }
        }
    }
}
