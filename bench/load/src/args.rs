//! What the command line says.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;

/// How connections stay that ask once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// With the whole answer.
    Idle,
    /// With none of it taken.
    Stalled,
}

/// The options, as `main.rs` lists them.
pub struct Args {
    pub port: u16,
    pub paths: Vec<String>,
    pub headers: Vec<String>,
    pub connections: usize,
    pub pipeline: usize,
    pub warm: Duration,
    pub seconds: Duration,
    pub requests: Option<u64>,
    pub rate: Option<usize>,
    pub pause: Duration,
    pub status: u16,
    pub expect: Option<u64>,
    pub pids: Vec<u32>,
    pub hold: Option<Hold>,
}

pub fn parse() -> Result<Args, Box<dyn Error>> {
    let mut args = Args {
        port: 0,
        paths: Vec::new(),
        headers: Vec::new(),
        connections: 1,
        pipeline: 1,
        warm: Duration::ZERO,
        seconds: Duration::from_secs(1),
        requests: None,
        rate: None,
        pause: Duration::ZERO,
        status: 200,
        expect: None,
        pids: Vec::new(),
        hold: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let Long(name) = argument else {
            return Err(argument.unexpected().into());
        };
        let name = name.to_owned();
        let value = parser.value()?.string()?;
        match name.as_str() {
            "port" => args.port = number(&name, &value)?,
            "path" => args.paths.push(value),
            "header" => args.headers.push(value),
            "connections" => args.connections = number(&name, &value)?,
            "pipeline" => args.pipeline = number(&name, &value)?,
            "warm" => args.warm = Duration::try_from_secs_f64(number(&name, &value)?)?,
            "seconds" => args.seconds = Duration::try_from_secs_f64(number(&name, &value)?)?,
            "requests" => args.requests = Some(number(&name, &value)?),
            "rate" => args.rate = Some(number(&name, &value)?),
            "pause" => args.pause = Duration::from_millis(number(&name, &value)?),
            "status" => args.status = number(&name, &value)?,
            "expect" => args.expect = Some(number(&name, &value)?),
            "pid" => args.pids.push(number(&name, &value)?),
            "hold" => args.hold = Some(hold(&value)?),
            _ => return Err(format!("there is no option --{name}").into()),
        }
    }
    if args.port == 0 || args.paths.is_empty() || args.connections == 0 || args.pipeline == 0 {
        return Err("a --port, a --path, and at least one connection and request are needed".into());
    }
    Ok(args)
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{name} {value} is no such number"))
}

fn hold(value: &str) -> Result<Hold, String> {
    match value {
        "idle" => Ok(Hold::Idle),
        "stalled" => Ok(Hold::Stalled),
        _ => Err(format!("--hold {value} is neither idle nor stalled")),
    }
}
