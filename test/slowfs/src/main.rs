//! A read-only FUSE file system that misbehaves on command: `slowfs <source> <mountpoint>`.
//!
//! It shows the regular files of a folder, as they are when it starts. It says `ready` once it is mounted,
//! and answers every line of its standard input with a line: `ok`, a count, or `error`. An op is one of [`OPS`];
//! with a file's name behind it, a command is about the calls for that file alone.
//!
//! - `delay <op> <ms> [file]`: these calls take so long; 0 ends it
//! - `stall <op> [file]`, `resume <op> [file]`: these calls do not return in between
//! - `eio <offset>`: reads that reach this byte fail with EIO; -1 ends it
//! - `size <file> <bytes>`: the file pretends to be this long, and ends there at the latest; -1 ends it
//! - `count <op> [file]`: how many such calls there were, those that are held included
//! - `ttl <seconds>`: for how long the kernel remembers names and attributes; 0, as it is at first: not at all
//! - `cache <keep|drop|direct>`: what an open does with the cached pages of its file. Dropping them, which is
//!   what FUSE does by default, waits for the reads of that file: an open would hang while one is stalled
//!
//! When its input ends it lets every call go, unmounts and says `unmounted`. Until then, a call for the mount
//! point itself is never held, so that a stalled mount can be listed and looked at.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, Request,
};
use parking_lot::{Condvar, Mutex};
use rustix::mount::{unmount, UnmountFlags};

const OPS: [&str; 6] = ["open", "getattr", "read", "flush", "release", "lookup"];

/// What a stall lasts at most. A thread that waits for an answer cannot be killed, nor can its process close
/// our input before; and a test that stalled its only thread could not resume it.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// How long the unmounted file system serves descriptors that are still open.
const LINGER: Duration = Duration::from_secs(5);

const FIRST_FILE: u64 = INodeNo::ROOT.0 + 1;

#[derive(Default)]
struct Rule {
    delay: Duration,
    stalled: bool,
    count: u64,
}

#[derive(Default)]
struct State {
    /// For how long the kernel need not ask again: as a rule it asks every time.
    ttl: Duration,
    /// By op and file, which is "" for all files.
    rules: HashMap<(&'static str, String), Rule>,
    sizes: HashMap<String, u64>,
    eio: Option<u64>,
    open_flags: Option<FopenFlags>,
    ended: bool,
}

impl State {
    fn of(&mut self, op: &'static str, file: &str) -> &mut Rule {
        self.rules.entry((op, file.to_owned())).or_default()
    }

    fn delay(&mut self, op: &'static str, file: &str) -> Duration {
        self.of(op, file).delay.max(self.of(op, "").delay)
    }

    fn stalled(&mut self, op: &'static str, file: &str) -> bool {
        self.of(op, file).stalled || self.of(op, "").stalled
    }
}

struct Shared {
    folder: File,
    files: Vec<(String, File)>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn new(source: &Path) -> io::Result<Shared> {
        let mut files = Vec::new();
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                files.push((name, File::open(entry.path())?));
            }
        }
        let (folder, state) = (File::open(source)?, Mutex::default());
        Ok(Shared { folder, files, state, changed: Condvar::new() })
    }

    fn file(&self, ino: INodeNo) -> Option<&(String, File)> {
        let index = ino.0.checked_sub(FIRST_FILE)?;
        self.files.get(usize::try_from(index).ok()?)
    }

    fn attributes(&self, ino: INodeNo) -> io::Result<FileAttr> {
        let (name, file) = self.file(ino).map_or(("", &self.folder), |(name, file)| (name, file));
        let metadata = file.metadata()?;
        let pretended = self.state.lock().sizes.get(name).copied();
        let mtime = metadata.modified()?;
        Ok(FileAttr {
            ino,
            size: pretended.unwrap_or(metadata.len()),
            blocks: metadata.blocks(),
            atime: mtime,
            mtime,
            ctime: mtime,
            crtime: mtime,
            kind: FileType::from_std(metadata.file_type()).unwrap_or(FileType::RegularFile),
            perm: (metadata.mode() & 0o777) as u16,
            nlink: 1,
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn read(&self, ino: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let (name, file) = self.file(ino).ok_or(Errno::EISDIR)?;
        let (pretended, eio) = {
            let state = self.state.lock();
            (state.sizes.get(name).copied(), state.eio)
        };
        let end = file.metadata()?.len().min(pretended.unwrap_or(u64::MAX));
        let size = end.saturating_sub(offset).min(size.into());
        if eio.is_some_and(|eio| offset + size > eio) {
            return Err(Errno::EIO);
        }
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Waits as long as such a call has to: false when it was stalled beyond the limit.
    fn wait(&self, op: &'static str, file: &str) -> bool {
        let mut state = self.state.lock();
        let delayed = Instant::now() + state.delay(op, file);
        let limit = delayed + STALL_LIMIT;
        while !state.ended {
            let now = Instant::now();
            if now >= delayed && !state.stalled(op, file) {
                return true;
            }
            if now >= limit {
                return false;
            }
            let until = if now < delayed { delayed } else { limit };
            self.changed.wait_until(&mut state, until);
        }
        true
    }

    /// Does what a line says: the answer, or nothing when it makes no sense.
    fn command(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let known = |name: &str| self.files.iter().any(|(file, _)| file == name);
        let mut state = self.state.lock();
        match *words.as_slice() {
            [word @ ("delay" | "stall" | "resume" | "count"), op, ref rest @ ..] => {
                let op = OPS.into_iter().find(|known| *known == op)?;
                let (delay, file) = match word {
                    "delay" => (rest.first()?.parse().ok()?, &rest[1..]),
                    _ => (0, rest),
                };
                let rule = match *file {
                    [] => state.of(op, ""),
                    [name] if known(name) => state.of(op, name),
                    _ => return None,
                };
                match word {
                    "delay" => rule.delay = Duration::from_millis(delay),
                    "count" => return Some(rule.count.to_string()),
                    _ => rule.stalled = word == "stall",
                }
                self.changed.notify_all();
            }
            ["eio", offset] => state.eio = u64::try_from(offset.parse::<i64>().ok()?).ok(),
            ["size", name, bytes] if known(name) => {
                match u64::try_from(bytes.parse::<i64>().ok()?) {
                    Ok(bytes) => state.sizes.insert(name.to_owned(), bytes),
                    Err(_) => state.sizes.remove(name),
                };
            }
            ["ttl", seconds] => state.ttl = Duration::from_secs(seconds.parse().ok()?),
            ["cache", "keep"] => state.open_flags = None,
            ["cache", "drop"] => state.open_flags = Some(FopenFlags::empty()),
            ["cache", "direct"] => state.open_flags = Some(FopenFlags::FOPEN_DIRECT_IO),
            _ => return None,
        }
        Some("ok".to_owned())
    }
}

struct SlowFs(Arc<Shared>);

impl SlowFs {
    /// Answers a call: at once, or on a thread of its own when the call has to wait, so that the session's
    /// one thread never does.
    fn call(&self, op: &'static str, file: Option<&str>, answer: impl FnOnce(&Shared) + Send + 'static) {
        let Some(file) = file else {
            return answer(&self.0); // the mount point
        };
        let mut state = self.0.state.lock();
        state.of(op, file).count += 1;
        state.of(op, "").count += 1;
        let waits = state.stalled(op, file) || !state.delay(op, file).is_zero();
        drop(state);
        if !waits {
            return answer(&self.0);
        }
        let (shared, file) = (self.0.clone(), file.to_owned());
        thread::spawn(move || {
            if shared.wait(op, &file) {
                answer(&shared);
            } else {
                eprintln!("slowfs: {op} of {file} was stalled for {STALL_LIMIT:?}: it fails now");
                drop(answer); // a reply that is dropped says EIO
            }
        });
    }

    fn name(&self, ino: INodeNo) -> Option<&str> {
        self.0.file(ino).map(|(name, _)| name.as_str())
    }
}

impl Filesystem for SlowFs {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Without these, the kernel would let stalled calls hold others: by default it has at most 16 readaheads
        // on their way, and one lookup in a folder. Neither can be refused for a reason that matters here.
        let _ = config.set_max_background(u16::MAX);
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        Ok(())
    }

    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_string_lossy().into_owned();
        self.call("lookup", Some(&name.clone()), move |shared| {
            let Some(index) = shared.files.iter().position(|(file, _)| *file == name) else {
                return reply.error(Errno::ENOENT);
            };
            let ttl = shared.state.lock().ttl;
            match shared.attributes(INodeNo(FIRST_FILE + index as u64)) {
                Ok(attributes) => reply.entry(&ttl, &attributes, Generation(0)),
                Err(err) => reply.error(err.into()),
            }
        });
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        self.call("getattr", self.name(ino), move |shared| {
            let ttl = shared.state.lock().ttl;
            match shared.attributes(ino) {
                Ok(attributes) => reply.attr(&ttl, &attributes),
                Err(err) => reply.error(err.into()),
            }
        });
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.call("open", self.name(ino), move |shared| {
            let flags = shared.state.lock().open_flags;
            reply.opened(FileHandle(0), flags.unwrap_or(FopenFlags::FOPEN_KEEP_CACHE));
        });
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.call("read", self.name(ino), move |shared| match shared.read(ino, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(err) => reply.error(err),
        });
    }

    fn flush(&self, _req: &Request, ino: INodeNo, _fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        self.call("flush", self.name(ino), move |_| reply.ok());
    }

    fn release(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.call("release", self.name(ino), move |_| reply.ok());
    }

    fn readdir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        for (index, (name, _)) in (0..).zip(&self.0.files).skip(offset as usize) {
            if reply.add(INodeNo(FIRST_FILE + index), index + 1, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Does what the input says, until it ends or nobody hears the answers.
fn obey(shared: &Shared) -> io::Result<()> {
    say("ready")?;
    for line in io::stdin().lines() {
        say(&shared.command(&line?).unwrap_or("error".to_owned()))?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, mountpoint] = arguments.as_slice() else {
        return Err(io::Error::other("usage: slowfs <source> <mountpoint>"));
    };
    let mountpoint = mountpoint.canonicalize()?;
    let shared = Arc::new(Shared::new(source)?);
    let mut config = Config::default();
    config.mount_options = vec![MountOption::RO, MountOption::FSName("slowfs".to_owned())];
    let session = fuser::spawn_mount(SlowFs(shared.clone()), &mountpoint, &config)?;

    let _ = obey(&shared); // however it ended, what follows is the same

    shared.state.lock().ended = true;
    shared.changed.notify_all();
    // Lazily, also while files are open: they can still be closed in order, as long as there is somebody to ask.
    if unmount(&mountpoint, UnmountFlags::DETACH).is_err() {
        return session.umount_and_join(); // not as root: fusermount3 does it
    }
    let _ = say("unmounted");
    let end = Instant::now() + LINGER;
    while !session.guard.is_finished() && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    std::process::exit(0) // the session would unmount the folder once more
}
