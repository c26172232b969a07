//! A file of the simulated kernel, and which of its pages are in memory.

pub const PAGE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its pages are counted.
    Counted,
    /// cachestat(2) is refused: another user's.
    Uncounted,
    /// tmpfs.
    Memory,
    /// FUSE: nobody can tell what is in memory.
    Opaque,
    /// sendfile(2) is refused.
    Unsendable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Never,
    Resident,
    Evicted,
}

#[derive(Debug)]
pub struct Inode {
    pub kind: Kind,
    pub pattern: u64,
    pub device: u64,
    pub len: u64,
    pub pages: Vec<Page>,
}

impl Inode {
    pub fn new(kind: Kind, pattern: u64, len: u64, warm: bool) -> Self {
        let page = if warm { Page::Resident } else { Page::Never };
        let pages = vec![page; len.div_ceil(PAGE) as usize];
        Self { kind, pattern, device: pattern % 3, len, pages }
    }

    /// How many bytes from `offset` on, up to `len`, are in memory in a row.
    pub fn in_row(&self, offset: u64, len: u64) -> u64 {
        let mut at = offset;
        while at < offset + len && self.pages.get((at / PAGE) as usize) == Some(&Page::Resident) {
            at = (at / PAGE + 1) * PAGE;
        }
        at.min(offset + len).saturating_sub(offset)
    }

    pub fn load(&mut self, offset: u64, len: u64) {
        let (first, end) = ((offset / PAGE) as usize, (offset + len).div_ceil(PAGE) as usize);
        let end = end.min(self.pages.len());
        if first < end {
            self.pages[first..end].fill(Page::Resident);
        }
    }

    /// How many bytes a read of `len` gets.
    pub fn left(&self, offset: u64, len: usize) -> u64 {
        self.len.saturating_sub(offset).min(len as u64)
    }
}
