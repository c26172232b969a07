//! Asks an HTTP server for files and throws the bodies away inside the kernel (`MSG_TRUNC`), so that what is measured
//! is the server: one thread, epoll. `bench-load --port N [options]` prints one line of JSON, and fails when anything
//! did not go as it should.
//!
//! - `--path /name`: what to ask for. Several are asked for in turn
//! - `--connections N`, `--pipeline N`: at once, and requests on their way on each
//! - `--warm S`, `--seconds S`: how long before, and while, it counts; `--requests N`: until so many are answered
//! - `--rate N`: slow readers, each of which takes N bytes a second
//! - `--pause MS`: what a connection waits between an answer and its next request
//! - `--header 'Name: value'`: as often as needed
//! - `--status N`, `--expect N`: what an answer has to be, and the length of its body; any other is an error
//! - `--pid N`: processes of the server, whose CPU time is told
//! - `--hold idle`, `--hold stalled`: connections that ask once, take the answer or nothing of it, and stay. It says
//!   `ready` when all do, and goes when its input ends

mod args;
mod connection;
mod cpu;
mod head;
mod hold;
mod report;
mod run;
mod target;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse().and_then(|args| match args.hold {
        Some(kind) => hold::hold(&args, kind).map(|()| true),
        None => run::run(&args),
    }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-load: {error}");
            ExitCode::FAILURE
        }
    }
}
