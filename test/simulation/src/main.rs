//! `simulation seeds FIRST COUNT`: so many runs of the simulation. `simulation models COUNT SEED`: so many orders of
//! each model, of each kind. The last line is what they came to.

use std::process::ExitCode;
use std::thread::available_parallelism;

use simulation::{model, search};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse::<u64>().ok());
    let workers = available_parallelism().map_or(1, usize::from);
    let report = match (arguments.first().map(String::as_str), number(1), number(2)) {
        (Some("seeds"), Some(first), Some(count)) => search::search(first, count, workers),
        (Some("models"), Some(count), Some(seed)) => model::check(count as usize, seed),
        _ => {
            eprintln!("usage: simulation seeds FIRST COUNT | simulation models COUNT SEED");
            return ExitCode::from(2);
        }
    };
    let search::Report { cases, faults, bytes, findings } = report;
    println!("{{\"cases\":{cases},\"faults\":{faults},\"bytes\":{bytes},\"findings\":{}}}", findings.len());
    ExitCode::from(u8::from(!findings.is_empty()))
}
