//! What a run does, and how often things go wrong in it: all of it follows from a seed.

use crate::inode::Kind;
use crate::odds::Odds;
use crate::random::Random;

#[derive(Clone, Debug)]
pub struct Plan {
    pub odds: Odds,
    pub inodes: Vec<File>,
    pub environments: Vec<Environment>,
}

#[derive(Clone, Debug)]
pub struct File {
    pub kind: Kind,
    pub len: u64,
    pub warm: bool,
}

#[derive(Clone, Debug)]
pub struct Environment {
    pub connections: Vec<Connection>,
    /// It is gone after so many steps.
    pub closes: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Connection {
    /// Bytes of its buffer.
    pub capacity: u64,
    /// One after the other.
    pub requests: Vec<Request>,
}

#[derive(Clone, Debug)]
pub enum Request {
    /// A gather list.
    List(List),
    /// A wait for room; `patience` as of [`List`].
    Watch { patience: Option<u32> },
}

#[derive(Clone, Debug)]
pub struct List {
    pub parts: Vec<Part>,
    pub holds_tail: bool,
    pub may_copy: bool,
    /// It is cancelled after so many steps.
    pub patience: Option<u32>,
}

#[derive(Clone, Debug)]
pub enum Part {
    Bytes(u64),
    Region { file: usize, offset: u64, len: u64 },
}

impl Request {
    /// How many it sends.
    fn bytes(&self) -> u64 {
        let Self::List(list) = self else { return 0 };
        let of = |part: &Part| match part {
            Part::Bytes(len) | Part::Region { len, .. } => *len,
        };
        list.parts.iter().map(of).sum()
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn of(random: &mut Random) -> Self {
        let is_warm = random.chance(200);
        let inodes: Vec<File> = (0..random.between(1, 5)).map(|_| file(random, is_warm)).collect();
        let count = if random.chance(250) { 2 } else { 1 };
        let environments = (0..count).map(|_| environment(random, &inodes)).collect();
        Self { odds: odds(random, is_warm), inodes, environments }
    }
}

/// Half of the runs know only some of what can go wrong, so that one thing does not hide another.
fn odds(random: &mut Random, is_warm: bool) -> Odds {
    let mut some = |most: u64| if random.chance(500) { random.below(most) } else { 0 };
    let mut odds = Odds {
        pause: some(1000),
        short: some(600),
        full: some(300),
        file_eagain: some(300),
        evict: some(100),
        spurious: some(300),
        wait_fails: some(200),
        no_descriptor: some(400),
        no_place: some(60),
        no_thread: some(200),
        read_fails: some(30),
        send_fails: some(20),
        reset: some(20),
        truncate: some(40),
    };
    if random.chance(150) {
        odds.no_descriptor = 1000;
    }
    if random.chance(50) {
        odds.file_eagain = 1000;
    }
    if is_warm {
        odds.evict = 0;
    }
    odds
}

fn size(random: &mut Random) -> u64 {
    match random.below(20) {
        0 => random.below(4 << 20),
        1..=6 => random.below(400_000),
        7..=12 => random.below(100_000),
        _ => random.below(9_000),
    }
}

fn file(random: &mut Random, is_warm: bool) -> File {
    let kind = match random.below(10) {
        0 if !is_warm => Kind::Opaque,
        1 => Kind::Memory,
        2 if !is_warm => Kind::Unsendable,
        3 => Kind::Uncounted,
        _ => Kind::Counted,
    };
    File { kind, len: size(random), warm: is_warm || random.chance(300) }
}

fn environment(random: &mut Random, inodes: &[File]) -> Environment {
    let connections = (0..random.between(1, 5)).map(|_| connection(random, inodes)).collect();
    let closes = random.chance(150).then(|| random.below(300) as u32);
    Environment { connections, closes }
}

fn connection(random: &mut Random, inodes: &[File]) -> Connection {
    let room =
        if random.chance(300) { random.between(1_000, 40_000) } else { random.between(40_000, 3 << 20) };
    let requests = if random.chance(80) {
        vec![Request::Watch { patience: patience(random) }]
    } else {
        (0..random.between(1, 4)).map(|_| Request::List(list(random, inodes))).collect()
    };
    // Not so little that it takes for ever.
    let total: u64 = requests.iter().map(Request::bytes).sum();
    Connection { capacity: room.max(total / 400), requests }
}

fn patience(random: &mut Random) -> Option<u32> {
    random.chance(150).then(|| random.below(120) as u32)
}

fn list(random: &mut Random, inodes: &[File]) -> List {
    let parts = (0..random.between(1, 7)).map(|_| part(random, inodes)).collect();
    List { parts, holds_tail: random.chance(500), may_copy: random.chance(800), patience: patience(random) }
}

fn part(random: &mut Random, inodes: &[File]) -> Part {
    if random.chance(400) {
        return Part::Bytes(if random.chance(100) { random.below(120_000) } else { random.below(3_000) });
    }
    let file = random.below(inodes.len() as u64) as usize;
    let whole = inodes[file].len;
    let offset = if random.chance(500) { 0 } else { random.below(whole + 1) };
    // Some promise more than there is.
    let more = if random.chance(20) { random.below(20_000) } else { 0 };
    let len = if random.chance(600) { whole - offset } else { random.below(whole - offset + 1) };
    Part::Region { file, offset, len: len + more }
}
