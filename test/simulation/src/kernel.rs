//! The kernel of one run: descriptors, sockets with buffers that fill, files whose pages come and go, and epoll sets
//! that tell of edges. What it answers follows from its seed.
//!
//! What must never be asked of it is a finding, and ends the run: bytes that are not the next, a number that is not
//! open, a number that is closed while it is watched, sendfile(2) of what was never in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::RawFd;

use mio::Token;
use shuttle::thread::{self, Thread};

use crate::contents::{self, Piece};
use crate::engine::QUANTUM;
use crate::inode::{Inode, Kind, Page, PAGE};
use crate::odds::{Injected, Odds};
use crate::random::Random;
use crate::sys::{Errno, Result};
use crate::transfer::SMALL;

/// The first numbers are the standard streams'.
const LOWEST: RawFd = 3;

thread_local! {
    static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
}

#[derive(Debug, Default)]
pub struct Socket {
    capacity: u64,
    queued: u64,
    /// Whether somebody is to be told when there is room.
    no_space: bool,
    /// Its peer reads no more.
    is_stalled: bool,
    /// What sending to it answers from now on.
    pub broken: Option<Errno>,
    /// What is to come, in order.
    expected: VecDeque<Piece>,
    /// What has come.
    pub received: u64,
    /// The number that its environment has.
    own: RawFd,
    /// What the reactor moved since it last waited.
    in_round: u64,
    /// The reactor was told that it takes more, so many rounds ago, and has not tried.
    untried: Option<u32>,
}

impl Socket {
    fn has_reader(&self) -> bool {
        self.queued > 0 && !self.is_stalled
    }

    fn is_writable(&self) -> bool {
        self.broken.is_some() || (self.capacity - self.queued) * 3 >= self.capacity
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Open {
    Socket(usize),
    File(usize),
    Epoll(usize),
}

#[derive(Debug)]
struct Registration {
    token: Token,
    open: Open,
    has_edge: bool,
}

#[derive(Debug, Default)]
struct Epoll {
    registered: BTreeMap<RawFd, Registration>,
    /// The tokens of wakers that were rung.
    rung: BTreeSet<usize>,
    waiting: Option<Thread>,
}

#[derive(Debug)]
pub struct Kernel {
    pub odds: Odds,
    pub injected: Injected,
    pub random: Random,
    descriptors: BTreeMap<RawFd, Open>,
    pub sockets: Vec<Socket>,
    pub inodes: Vec<Inode>,
    epolls: Vec<Epoll>,
    peer: Option<Thread>,
    /// Told of every descriptor that is closed.
    rest: Option<Thread>,
    /// To be told, outside of the kernel.
    wakes: Vec<Thread>,
    /// Bytes that arrived, each compared.
    pub verified: u64,
    /// Whether anybody has waited for a disk.
    pub has_waited: bool,
    /// A socket that takes more, and that was left out of a round: a finding, unless its transfer waited for a disk.
    left_out: Option<usize>,
    pub finding: Option<String>,
    /// All is done: whoever waits now ends.
    pub is_over: bool,
}

/// Asks the kernel of this run.
pub fn with<T>(ask: impl FnOnce(&mut Kernel) -> T) -> T {
    let (answer, wakes) = KERNEL.with_borrow_mut(|kernel| {
        let Some(kernel) = kernel.as_mut() else { panic!("a system call outside of a run") };
        let answer = ask(kernel);
        assert!(kernel.finding.is_none(), "finding: {}", kernel.finding.take().unwrap_or_default());
        (answer, std::mem::take(&mut kernel.wakes))
    });
    for waiting in wakes {
        waiting.unpark();
    }
    answer
}

/// A system call: others may run before it.
pub fn call<T>(ask: impl FnOnce(&mut Kernel) -> T) -> T {
    if with(Kernel::pauses) {
        thread::yield_now();
    }
    with(ask)
}

/// Begins a run.
pub fn begin(kernel: Kernel) {
    KERNEL.set(Some(kernel));
}

/// Whether a run goes on.
pub fn is_running() -> bool {
    KERNEL.with_borrow(Option::is_some)
}

impl Kernel {
    pub fn new(odds: Odds, random: Random) -> Self {
        Self {
            odds,
            injected: Injected::default(),
            random,
            descriptors: BTreeMap::new(),
            sockets: Vec::new(),
            inodes: Vec::new(),
            epolls: Vec::new(),
            peer: None,
            rest: None,
            wakes: Vec::new(),
            verified: 0,
            has_waited: false,
            left_out: None,
            finding: None,
            is_over: false,
        }
    }

    fn pauses(&mut self) -> bool {
        let odds = self.odds.pause;
        if self.random.chance(self.odds.evict) {
            self.evict();
        }
        odds >= 1000 || self.random.chance(odds)
    }

    fn find(&mut self, what: String) {
        self.finding.get_or_insert(what);
    }

    // Descriptors.

    pub fn open(&mut self, open: Open) -> RawFd {
        let mut fd = LOWEST;
        for taken in self.descriptors.keys() {
            if *taken != fd {
                break;
            }
            fd += 1;
        }
        self.descriptors.insert(fd, open);
        fd
    }

    pub fn duplicate(&mut self, fd: RawFd) -> Result<RawFd> {
        let open = *self.descriptors.get(&fd).ok_or(Errno(libc::EBADF))?;
        if self.random.chance(self.odds.no_descriptor) {
            self.injected.no_descriptor += 1;
            return Err(Errno(libc::EMFILE));
        }
        Ok(self.open(open))
    }

    pub fn close(&mut self, fd: RawFd) {
        for epoll in &self.epolls {
            if epoll.registered.contains_key(&fd) {
                self.finding = Some(format!("descriptor {fd} is closed while it is watched"));
            }
        }
        if self.descriptors.remove(&fd).is_none() {
            self.find(format!("descriptor {fd} is closed twice"));
        }
        self.wakes.extend(self.rest.clone());
    }

    /// How many numbers an open file has.
    pub fn numbers(&self, open: Open) -> usize {
        self.descriptors.values().filter(|other| **other == open).count()
    }

    /// What is open, beside epoll sets.
    pub fn left_open(&self) -> Vec<Open> {
        self.descriptors.values().copied().filter(|open| !matches!(open, Open::Epoll(_))).collect()
    }

    /// What is registered anywhere.
    pub fn registered(&self) -> usize {
        self.epolls.iter().map(|epoll| epoll.registered.len()).sum()
    }

    /// Ends the run: everybody looks up.
    pub fn end(&mut self) {
        if let Some(socket) = self.left_out.filter(|_| !self.has_waited) {
            self.find(format!("socket {socket} took more, and was left out"));
        }
        self.is_over = true;
        self.odds = Odds { no_thread: 1000, ..Odds::default() };
        self.wakes.extend(self.peer.clone());
        self.wakes.extend(self.epolls.iter().filter_map(|epoll| epoll.waiting.clone()));
    }

    /// Who is to be told when something is closed.
    pub fn tell_of_rest(&mut self, thread: Thread) {
        self.rest = Some(thread);
    }

    fn socket(&mut self, fd: RawFd) -> Result<usize> {
        match self.descriptors.get(&fd) {
            Some(Open::Socket(socket)) => Ok(*socket),
            _ => {
                self.find(format!("a send to descriptor {fd}, which is {:?}", self.descriptors.get(&fd)));
                Err(Errno(libc::EBADF))
            }
        }
    }

    pub fn inode(&mut self, fd: RawFd) -> Result<usize> {
        match self.descriptors.get(&fd) {
            Some(Open::File(inode)) => Ok(*inode),
            _ => {
                self.find(format!("a read of descriptor {fd}, which is {:?}", self.descriptors.get(&fd)));
                Err(Errno(libc::EBADF))
            }
        }
    }

    pub fn start_thread(&mut self) -> Result<()> {
        if self.random.chance(self.odds.no_thread) {
            self.injected.no_thread += 1;
            return Err(Errno(libc::EAGAIN));
        }
        Ok(())
    }

    // Sockets.

    /// A socket, and the number that its environment has.
    pub fn add_socket(&mut self, capacity: u64) -> (usize, RawFd) {
        let socket = self.sockets.len();
        let own = self.open(Open::Socket(socket));
        self.sockets.push(Socket { capacity, own, ..Socket::default() });
        (socket, own)
    }

    /// What the socket is to get next, behind what it is to get already.
    pub fn expect(&mut self, socket: usize, pieces: &[Piece]) {
        self.sockets[socket].expected.extend(pieces.iter().filter(|piece| piece.len > 0));
    }

    /// Ends a connection, as shutdown(2), or as its peer that has gone.
    pub fn break_off(&mut self, socket: usize, errno: i32) {
        self.sockets[socket].broken.get_or_insert(Errno(errno));
        self.edge(socket);
    }

    /// Its peer reads no more: who waits for it waits until somebody ends that.
    pub fn stall(&mut self, socket: usize) {
        self.sockets[socket].is_stalled = true;
    }

    /// Who uses a number of its own is the reactor.
    fn tries(&mut self, fd: RawFd, socket: usize) {
        if fd != self.sockets[socket].own {
            self.sockets[socket].untried = None;
        }
    }

    /// How much of `len` bytes a socket takes.
    fn takes(&mut self, fd: RawFd, socket: usize, len: u64) -> Result<u64> {
        let (full, short) = (self.random.chance(self.odds.full), self.random.chance(self.odds.short));
        let target = &mut self.sockets[socket];
        if let Some(errno) = target.broken {
            return Err(errno);
        }
        let room = target.capacity - target.queued;
        if room == 0 {
            target.no_space = true;
            return Err(Errno(libc::EAGAIN));
        }
        if full {
            self.injected.eagains += 1;
            self.edge(socket);
            return Err(Errno(libc::EAGAIN));
        }
        let mut taken = len.min(room);
        if short && taken > 1 {
            self.injected.shorts += 1;
            taken = self.random.between(1, taken);
        }
        let target = &mut self.sockets[socket];
        target.queued += taken;
        target.in_round += if fd == target.own { 0 } else { taken };
        target.received += taken;
        self.verified += taken;
        self.wakes.extend(self.peer.clone());
        Ok(taken)
    }

    /// Compares `taken` bytes with what is next: `matches` says of a piece whether it is that, from a place on.
    fn compare(&mut self, socket: usize, taken: u64, matches: impl Fn(Piece, u64) -> bool) {
        let mut at = 0;
        while at < taken {
            let Some(next) = self.sockets[socket].expected.front_mut() else {
                return self.find(format!("socket {socket} gets {} bytes too many", taken - at));
            };
            let len = next.len.min(taken - at);
            let piece = Piece { len, ..*next };
            next.offset += len;
            next.len -= len;
            if next.len == 0 {
                self.sockets[socket].expected.pop_front();
            }
            if !matches(piece, at) {
                let received = self.sockets[socket].received;
                return self
                    .find(format!("socket {socket} gets other bytes than {piece:?} up to {received}"));
            }
            at += len;
        }
    }

    pub fn send(&mut self, fd: RawFd, bytes: &[u8]) -> Result<usize> {
        if bytes.is_empty() {
            self.find("an empty send".into());
        }
        let socket = self.socket(fd)?;
        self.tries(fd, socket);
        let taken = self.takes(fd, socket, bytes.len() as u64)?;
        self.compare(socket, taken, |piece, at| {
            contents::is(piece.pattern, piece.offset, &bytes[at as usize..(at + piece.len) as usize])
        });
        Ok(taken as usize)
    }

    pub fn sendfile(&mut self, fd: RawFd, file: RawFd, offset: u64, len: usize) -> Result<usize> {
        if len == 0 {
            self.find("an empty sendfile".into());
        }
        let (socket, file) = (self.socket(fd)?, self.inode(file)?);
        self.tries(fd, socket);
        let inode = &self.inodes[file];
        let left = inode.left(offset, len);
        match inode.kind {
            Kind::Unsendable => return Err(Errno(libc::EINVAL)),
            Kind::Opaque => self.find("sendfile of a file that may not be in memory".into()),
            _ if left == 0 => return Ok(0),
            _ => {}
        }
        if self.random.chance(self.odds.file_eagain) {
            self.injected.eagains += 1;
            return Err(Errno(libc::EAGAIN));
        }
        if self.random.chance(self.odds.send_fails) {
            self.injected.send_failures += 1;
            return Err(Errno(libc::EIO));
        }
        let taken = self.takes(fd, socket, left)?;
        let inode = &mut self.inodes[file];
        let pattern = inode.pattern;
        let (first, end) = ((offset / PAGE) as usize, (offset + taken).div_ceil(PAGE) as usize);
        let never = inode.kind == Kind::Counted && inode.pages[first..end].contains(&Page::Never);
        inode.load(offset, taken);
        if never {
            self.find(format!("sendfile of {taken} bytes at {offset} that were never in memory"));
        }
        self.compare(socket, taken, |piece, at| piece.pattern == pattern && piece.offset == offset + at);
        Ok(taken as usize)
    }

    // Files.

    pub fn add_inode(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    fn evict(&mut self) {
        let chosen = self.random.below(self.inodes.len() as u64) as usize;
        let random = &mut self.random;
        let Some(inode) = self.inodes.get_mut(chosen).filter(|inode| inode.kind != Kind::Memory) else {
            return;
        };
        let first = random.below(inode.pages.len() as u64) as usize;
        let count = random.between(1, 65) as usize;
        for page in inode.pages.iter_mut().skip(first).take(count) {
            if *page == Page::Resident {
                *page = Page::Evicted;
            }
        }
        self.injected.evictions += 1;
    }

    /// read(2) that waits for a disk.
    pub fn read(&mut self, fd: RawFd, offset: u64, bytes: &mut [u8]) -> Result<usize> {
        let file = self.inode(fd)?;
        if self.random.chance(self.odds.read_fails) {
            self.injected.read_failures += 1;
            return Err(Errno(libc::EIO));
        }
        if self.random.chance(self.odds.truncate) && self.inodes[file].len > 0 {
            self.injected.truncations += 1;
            self.inodes[file].len = self.random.below(self.inodes[file].len);
        }
        let mut left = self.inodes[file].left(offset, bytes.len());
        if left > 1 && self.random.chance(self.odds.short) {
            self.injected.shorts += 1;
            left = self.random.between(1, left);
        }
        let inode = &mut self.inodes[file];
        if left > 0 {
            inode.load(offset, left);
        }
        contents::fill(inode.pattern, offset, &mut bytes[..left as usize]);
        Ok(left as usize)
    }

    /// The same of what is in memory.
    pub fn read_cached(&mut self, fd: RawFd, offset: u64, bytes: &mut [u8]) -> Result<usize> {
        let file = self.inode(fd)?;
        let short = self.random.chance(self.odds.short);
        let inode = &self.inodes[file];
        if matches!(inode.kind, Kind::Memory | Kind::Opaque) {
            return Err(Errno(libc::EOPNOTSUPP));
        }
        let left = inode.left(offset, bytes.len());
        let mut there = inode.in_row(offset, left);
        if left == 0 {
            return Ok(0);
        }
        if there == 0 {
            return Err(Errno(libc::EAGAIN));
        }
        if short && there > 1 {
            there = self.random.between(1, there);
        }
        contents::fill(self.inodes[file].pattern, offset, &mut bytes[..there as usize]);
        Ok(there as usize)
    }

    pub fn cached_pages(&mut self, fd: RawFd, offset: u64, len: u64) -> Result<u64> {
        let file = self.inode(fd)?;
        let inode = &self.inodes[file];
        match inode.kind {
            Kind::Uncounted => Err(Errno(libc::EPERM)),
            Kind::Opaque => Ok(0),
            _ => {
                let (first, last) = (offset / PAGE, (offset + len - 1) / PAGE);
                let pages = inode.pages.iter().skip(first as usize).take((last + 1 - first) as usize);
                Ok(pages.filter(|page| **page == Page::Resident).count() as u64)
            }
        }
    }

    // Readiness.

    pub fn add_epoll(&mut self) -> Result<(usize, RawFd)> {
        if self.random.chance(self.odds.no_descriptor) {
            self.injected.no_descriptor += 1;
            return Err(Errno(libc::EMFILE));
        }
        self.epolls.push(Epoll::default());
        let epoll = self.epolls.len() - 1;
        Ok((epoll, self.open(Open::Epoll(epoll))))
    }

    pub fn register(&mut self, epoll: usize, fd: RawFd, token: Token) -> Result<()> {
        let open = *self.descriptors.get(&fd).ok_or(Errno(libc::EBADF))?;
        if self.random.chance(self.odds.no_place) {
            self.injected.no_place += 1;
            return Err(Errno(libc::ENOSPC));
        }
        let registration = Registration { token, open, has_edge: false };
        if self.epolls[epoll].registered.insert(fd, registration).is_some() {
            self.find(format!("descriptor {fd} is registered twice"));
        }
        self.look(epoll, fd);
        Ok(())
    }

    pub fn reregister(&mut self, epoll: usize, fd: RawFd, token: Token) -> Result<()> {
        match self.epolls[epoll].registered.get_mut(&fd) {
            Some(registration) if registration.token == token => {
                self.look(epoll, fd);
                Ok(())
            }
            _ => {
                self.find(format!("descriptor {fd} is registered anew, which is not registered"));
                Err(Errno(libc::ENOENT))
            }
        }
    }

    pub fn deregister(&mut self, epoll: usize, fd: RawFd) -> Result<()> {
        if let Some(Registration { open: Open::Socket(socket), .. }) = self.epolls[epoll].registered.get(&fd)
        {
            self.sockets[*socket].untried = None;
        }
        self.epolls[epoll].registered.remove(&fd).map(drop).ok_or(Errno(libc::ENOENT))
    }

    /// Who registers a socket that takes more is told; of one that does not, when it does.
    fn look(&mut self, epoll: usize, fd: RawFd) {
        let Some(registration) = self.epolls[epoll].registered.get_mut(&fd) else { return };
        let Open::Socket(socket) = registration.open else { return };
        if self.sockets[socket].is_writable() {
            registration.has_edge = true;
            self.wakes.extend(self.epolls[epoll].waiting.clone());
        } else {
            self.sockets[socket].no_space = true;
        }
    }

    /// Something has happened to a socket.
    fn edge(&mut self, socket: usize) {
        for epoll in &mut self.epolls {
            for registration in epoll.registered.values_mut() {
                if registration.open == Open::Socket(socket) {
                    registration.has_edge = true;
                    self.wakes.extend(epoll.waiting.clone());
                }
            }
        }
    }

    pub fn ring(&mut self, epoll: usize, token: Token) {
        self.epolls[epoll].rung.insert(token.0);
        self.wakes.extend(self.epolls[epoll].waiting.clone());
    }

    /// epoll_wait(2), once: what has happened, up to `most`.
    pub fn poll(&mut self, epoll: usize, most: usize, events: &mut Vec<Token>) -> Result<()> {
        events.clear();
        self.check_round();
        if self.random.chance(self.odds.wait_fails) {
            self.injected.interrupted += 1;
            let errno = if self.random.chance(800) { libc::EINTR } else { libc::ENOMEM };
            return Err(Errno(errno));
        }
        let spurious = self.random.chance(self.odds.spurious);
        let set = &mut self.epolls[epoll];
        events.extend(set.rung.iter().map(|token| Token(*token)));
        set.rung.clear();
        for registration in set.registered.values_mut() {
            let Open::Socket(socket) = registration.open else { continue };
            let target = &mut self.sockets[socket];
            if events.len() >= most {
                break;
            }
            if std::mem::take(&mut registration.has_edge) || spurious {
                self.injected.spurious += u64::from(spurious);
                if target.is_writable() || spurious {
                    target.untried.get_or_insert(0);
                    events.push(registration.token);
                } else {
                    target.no_space = true;
                }
            }
        }
        for at in (1..events.len()).rev() {
            events.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        Ok(())
    }

    pub fn wait(&mut self, epoll: usize, thread: Option<Thread>) {
        self.epolls[epoll].waiting = thread;
    }

    /// A round of the reactor is over: nobody had more than a turn, and nobody who could go on had none.
    fn check_round(&mut self) {
        for socket in 0..self.sockets.len() {
            let moved = std::mem::take(&mut self.sockets[socket].in_round);
            let most = QUANTUM + SMALL;
            if moved > most && self.epolls.len() == 1 {
                self.find(format!("socket {socket} had {moved} bytes in one round"));
            }
            if let Some(rounds) = &mut self.sockets[socket].untried {
                *rounds += 1;
                if *rounds > 1 && self.epolls.len() == 1 {
                    self.left_out = Some(socket);
                }
            }
        }
    }

    // The peers.

    pub fn set_peer(&mut self, peer: Thread) {
        self.peer = Some(peer);
    }

    /// A peer reads some bytes. Whether there were any.
    pub fn drain(&mut self) -> bool {
        let full: Vec<usize> =
            (0..self.sockets.len()).filter(|socket| self.sockets[*socket].has_reader()).collect();
        let Some(&socket) = full.get(self.random.below(full.len() as u64) as usize) else { return false };
        if self.random.chance(self.odds.reset) {
            self.injected.resets += 1;
            self.sockets[socket].queued = 0;
            self.break_off(socket, libc::ECONNRESET);
            return true;
        }
        let queued = self.sockets[socket].queued;
        let all = self.random.chance(600);
        let read = if all { queued } else { self.random.between(1, queued + 1) };
        let target = &mut self.sockets[socket];
        target.queued -= read;
        if target.no_space && target.is_writable() {
            target.no_space = false;
            self.edge(socket);
        }
        true
    }
}
