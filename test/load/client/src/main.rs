//! Asks a server for files whose every place tells which file and where it is, leaves at any moment, and says what came
//! that should not have: one thread, epoll. `proof-client [options]` prints a line of JSON for each finding and each
//! five seconds, and one at its end, which comes with that of its input at the latest.
//!
//! - `--mode short`: connections that ask for one file each; `--mode load`: connections that stay for a while
//! - `--seed N`, `--first N`, `--connections N`: which connections to make. What each does follows from seed and number
//! - `--seconds S`: no new connection after so long; those of a load stay, for the server to end them
//! - `--at-once N`: how many there are at a time
//! - `--http ADDRESS`, `--raw ADDRESS`: where the server is; as often as needed. `--mortal ADDRESS`: a raw one that comes
//!   and goes, and breaks off
//! - `--file ID:SIZE`, `--shrinking ID:SIZE`: what there is; those that shrink may come up short

mod args;
mod body;
mod connection;
#[path = "../../../../bench/load/src/head.rs"]
mod head;
mod outcome;
mod plan;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse().and_then(|args| run::run(&args)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("proof-client: {error}");
            ExitCode::from(2)
        }
    }
}
