//! The bare system call, in nanoseconds: what `bench/call.js` holds the calls of the package against.
//!
//! `bench-syscall <file> <iterations>` prints one JSON object. `success` moves 4 KiB of the file to
//! /dev/null, `eagain` asks a full TCP socket.

use std::error::Error;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::sendfile;
use rustix::io::Errno;

const BYTES: usize = 4096;
const SETTLE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(iterations)) = (args.next(), args.next()) else {
        return Err("usage: bench-syscall <file> <iterations>".into());
    };
    let iterations: u32 = iterations.parse()?;
    let file = File::open(path)?;

    let null = File::options().write(true).open("/dev/null")?;
    let success = nanoseconds(iterations, || sendfile(&null, &file, Some(&mut 0), BYTES) == Ok(BYTES))?;

    let (socket, _peer) = full_socket(&file)?;
    let eagain =
        nanoseconds(iterations, || sendfile(&socket, &file, Some(&mut 0), BYTES) == Err(Errno::AGAIN))?;

    println!(r#"{{"success":{success:.1},"eagain":{eagain:.1}}}"#);
    Ok(())
}

fn nanoseconds(iterations: u32, mut call: impl FnMut() -> bool) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    for _ in 0..iterations {
        if !call() {
            return Err("a call did not answer as it should".into());
        }
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(iterations))
}

/// A non-blocking loopback connection that takes no more, and its silent peer.
fn full_socket(file: &File) -> Result<(TcpStream, TcpStream), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let (peer, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    // What is on its way to the peer makes room once more when it arrives.
    while fill(&socket, file)? > 0 {
        sleep(SETTLE);
    }
    Ok((socket, peer))
}

/// How many bytes the socket still took.
fn fill(socket: &TcpStream, file: &File) -> Result<usize, Errno> {
    let mut sent = 0;
    loop {
        match sendfile(socket, file, Some(&mut 0), 1 << 20) {
            Ok(bytes) => sent += bytes,
            Err(Errno::AGAIN) => return Ok(sent),
            Err(error) => return Err(error),
        }
    }
}
