//! Readiness, as the simulated kernel has it, with mio's names.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

pub use mio::{Interest, Token};
use shuttle::thread;

use crate::kernel;
use crate::sync::end_with_run;
use crate::sys::{Errno, OwnedFd};

pub struct SourceFd<'a>(pub &'a RawFd);

struct Set {
    epoll: usize,
    _fd: OwnedFd,
}

pub struct Registry(Arc<Set>);

impl Registry {
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    pub fn register(&self, source: &mut SourceFd<'_>, token: Token, _interest: Interest) -> io::Result<()> {
        kernel::call(|kernel| kernel.register(self.0.epoll, *source.0, token)).map_err(error)
    }

    pub fn reregister(&self, source: &mut SourceFd<'_>, token: Token, _interest: Interest) -> io::Result<()> {
        kernel::call(|kernel| kernel.reregister(self.0.epoll, *source.0, token)).map_err(error)
    }

    pub fn deregister(&self, source: &mut SourceFd<'_>) -> io::Result<()> {
        kernel::call(|kernel| kernel.deregister(self.0.epoll, *source.0)).map_err(error)
    }
}

pub struct Poll(Registry);

impl Poll {
    pub fn new() -> io::Result<Self> {
        let (epoll, fd) = kernel::call(kernel::Kernel::add_epoll).map_err(error)?;
        Ok(Self(Registry(Arc::new(Set { epoll, _fd: OwnedFd::new(fd) }))))
    }

    pub fn registry(&self) -> &Registry {
        &self.0
    }

    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let epoll = self.0 .0.epoll;
        kernel::with(|kernel| kernel.wait(epoll, Some(thread::current())));
        loop {
            kernel::call(|kernel| kernel.poll(epoll, events.most, &mut events.tokens)).map_err(error)?;
            if !events.tokens.is_empty() || timeout.is_some() {
                return Ok(());
            }
            end_with_run();
            thread::park();
        }
    }
}

pub struct Events {
    tokens: Vec<Token>,
    most: usize,
}

impl Events {
    pub fn with_capacity(most: usize) -> Self {
        Self { tokens: Vec::new(), most }
    }
}

pub struct Event(Token);

impl Event {
    pub fn token(&self) -> Token {
        self.0
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event;
    type IntoIter = std::iter::Map<std::iter::Copied<std::slice::Iter<'a, Token>>, fn(Token) -> Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.tokens.iter().copied().map(Event)
    }
}

pub struct Waker {
    set: Arc<Set>,
    token: Token,
}

impl Waker {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { set: Arc::clone(&registry.0), token })
    }

    pub fn wake(&self) -> io::Result<()> {
        kernel::call(|kernel| kernel.ring(self.set.epoll, self.token));
        Ok(())
    }
}

fn error(errno: Errno) -> io::Error {
    match errno.0 {
        libc::EINTR => ErrorKind::Interrupted.into(),
        number => io::Error::from_raw_os_error(number),
    }
}
