//! What the command line says.

use std::error::Error;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;

/// What connections are like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Short,
    Load,
}

/// How a server is spoken to, and what may be expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Http,
    Raw,
    /// Raw, by a thread that is terminated now and then.
    Mortal,
}

/// A file of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    pub id: u16,
    pub size: u64,
    /// May come up short at any time.
    pub shrinks: bool,
}

pub struct Args {
    pub mode: Mode,
    pub seed: u64,
    pub first: u64,
    pub connections: u64,
    pub duration: Duration,
    pub at_once: usize,
    pub targets: Vec<(Kind, SocketAddr)>,
    pub files: Vec<File>,
}

pub fn parse() -> Result<Args, Box<dyn Error>> {
    let mut args = Args {
        mode: Mode::Short,
        seed: 0,
        first: 0,
        connections: u64::MAX,
        duration: Duration::from_secs(24 * 3600),
        at_once: 1,
        targets: Vec::new(),
        files: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let Long(name) = argument else {
            return Err(argument.unexpected().into());
        };
        let name = name.to_owned();
        let value = parser.value()?.string()?;
        match name.as_str() {
            "mode" => args.mode = mode(&value)?,
            "seed" => args.seed = parsed(&name, &value)?,
            "first" => args.first = parsed(&name, &value)?,
            "connections" => args.connections = parsed(&name, &value)?,
            "seconds" => args.duration = Duration::try_from_secs_f64(parsed(&name, &value)?)?,
            "at-once" => args.at_once = parsed(&name, &value)?,
            "http" => args.targets.push((Kind::Http, parsed(&name, &value)?)),
            "raw" => args.targets.push((Kind::Raw, parsed(&name, &value)?)),
            "mortal" => args.targets.push((Kind::Mortal, parsed(&name, &value)?)),
            "file" => args.files.push(file(&value, false)?),
            "shrinking" => args.files.push(file(&value, true)?),
            _ => return Err(format!("there is no option --{name}").into()),
        }
    }
    if args.targets.is_empty() || args.files.is_empty() || args.at_once == 0 {
        return Err("a server, a file and at least one connection at once are needed".into());
    }
    args.files.sort_by_key(|file| file.size);
    Ok(args)
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{name} {value} cannot be understood"))
}

fn mode(value: &str) -> Result<Mode, String> {
    match value {
        "short" => Ok(Mode::Short),
        "load" => Ok(Mode::Load),
        _ => Err(format!("--mode {value} is neither short nor load")),
    }
}

fn file(value: &str, shrinks: bool) -> Result<File, String> {
    let (id, size) = value.split_once(':').ok_or_else(|| format!("{value} is not ID:SIZE"))?;
    Ok(File { id: parsed("file", id)?, size: parsed("file", size)?, shrinks })
}
