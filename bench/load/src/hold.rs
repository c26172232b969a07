//! Connections that ask once and stay.

use std::error::Error;
use std::io::{self, Read};
use std::net::TcpStream;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::args::{Args, Hold};
use crate::connection::{Buffers, Connection, Wanted};
use crate::target::Target;

/// What the kernel keeps of a download that nobody takes: little, because the server's memory is what is measured.
const RECEIVE_BUFFER: usize = 4096;

/// How long an answer may take to come.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// How many ask at once.
const BATCH: usize = 100;

/// Holds them until the input ends.
pub fn hold(args: &Args, kind: Hold) -> Result<(), Box<dyn Error>> {
    let mut target = Target::new(args);
    let wanted = Wanted { status: args.status, length: args.expect };
    let mut buffers = Buffers::new();
    let mut held = Vec::with_capacity(args.connections);
    while held.len() < args.connections {
        let count = BATCH.min(args.connections - held.len());
        let batch: Vec<Connection> = (0..count).map(|_| ask(&mut target)).collect::<Result<_, _>>()?;
        for mut connection in batch {
            wait(&connection.socket)?;
            if kind == Hold::Idle {
                take(&mut connection, &mut buffers, &wanted)?;
            }
            held.push(connection);
        }
    }
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn ask(target: &mut Target) -> Result<Connection, Box<dyn Error>> {
    let socket = target.connect()?;
    set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    let mut connection = Connection::new(socket);
    connection.ask(target, 1)?;
    Ok(connection)
}

fn take(connection: &mut Connection, buffers: &mut Buffers, wanted: &Wanted) -> Result<(), Box<dyn Error>> {
    loop {
        wait(&connection.socket)?;
        let received = connection
            .receive(buffers, wanted, usize::MAX)
            .map_err(|fault| format!("an answer was not as it should be: {fault:?}"))?;
        if !received.answered.is_empty() {
            return Ok(());
        }
    }
}

fn wait(socket: &TcpStream) -> Result<(), Box<dyn Error>> {
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&PATIENCE))? {
        0 => Err("an answer did not come".into()),
        _ => Ok(()),
    }
}
