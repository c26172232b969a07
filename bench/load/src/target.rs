//! Where the requests go, and what they ask for.

use std::io;
use std::net::{Ipv4Addr, TcpStream};

use crate::args::Args;

pub struct Target {
    port: u16,
    /// One for each path.
    requests: Vec<Vec<u8>>,
    asked: usize,
}

impl Target {
    pub fn new(args: &Args) -> Target {
        let headers: String = args.headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = |path: &String| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let requests = args.paths.iter().map(|path| request(path).into_bytes()).collect();
        Target { port: args.port, requests, asked: 0 }
    }

    /// A connection that never blocks but while it is made.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// The request whose turn it is.
    pub fn next(&mut self) -> &[u8] {
        let request = &self.requests[self.asked % self.requests.len()];
        self.asked += 1;
        request
    }
}
