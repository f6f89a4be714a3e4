//! A lean HTTP/1.1 client: one connection, one request at a time, the answer read whole.
//!
//! It does no more than a loader needs, so that one core of it keeps a core of any server busy. It reads answers by
//! `Content-Length` or in chunks, and comes again where a server hangs up after an answer.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// An answer that is larger is none that we asked for.
const ANSWER_MAX: usize = 1 << 20;
const READ: usize = 16 * 1024;

/// A connection to a server, kept alive.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Buffer,
    /// The body, where it came in chunks.
    joined: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: &'a str,
    pub(crate) body: &'a [u8],
}

/// What was read so far, in memory that is kept.
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

/// Where the parts of an answer lie in the buffer.
struct Parts {
    status: u16,
    head: usize,
    body: Body,
    closes: bool,
}

enum Body {
    Of(usize),
    Chunked,
}

impl Connection {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Buffer::new(), joined: Vec::new() }
    }

    /// Sends a request, and reads its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        let stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            stream
        };
        write_all(&stream, request).await?;
        self.buffer.filled = 0;
        let parts = loop {
            self.buffer.read_more(&stream).await?;
            if let Some(parts) = parts(self.buffer.read())? {
                break parts;
            }
        };
        let body_end = match parts.body {
            Body::Of(length) => {
                while self.buffer.filled < parts.head + length {
                    self.buffer.read_more(&stream).await?;
                }
                parts.head + length
            }
            Body::Chunked => {
                while !join_chunks(
                    self.buffer.read().get(parts.head..).unwrap_or_default(),
                    &mut self.joined,
                )? {
                    self.buffer.read_more(&stream).await?;
                }
                0
            }
        };
        if !parts.closes {
            self.stream = Some(stream);
        }
        let body = match parts.body {
            Body::Of(_) => self.buffer.read().get(parts.head..body_end),
            Body::Chunked => Some(&*self.joined),
        };
        let head = self.buffer.read().get(..parts.head).and_then(|head| std::str::from_utf8(head).ok());
        Ok(Answer { status: parts.status, head: head.unwrap_or_default(), body: body.unwrap_or_default() })
    }
}

impl<'a> Answer<'a> {
    #[cfg(test)]
    pub(crate) const fn new(status: u16, head: &'a str, body: &'a [u8]) -> Self {
        Self { status, head, body }
    }

    /// The values of a header, in order.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.head.split("\r\n").skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The value of a cookie that is set.
    pub(crate) fn cookie(&self, name: &str) -> Option<&'a str> {
        self.headers("set-cookie").find_map(|cookie| {
            let (found, value) = cookie.split(';').next()?.split_once('=')?;
            (found == name).then_some(value)
        })
    }

    /// Status and body, for a complaint.
    pub(crate) fn told(&self) -> String {
        let body = String::from_utf8_lossy(self.body);
        format!("{}: {}", self.status, body.chars().take(300).collect::<String>())
    }
}

impl Buffer {
    const fn new() -> Self {
        Self { bytes: Vec::new(), filled: 0 }
    }

    fn read(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    async fn read_more(&mut self, stream: &TcpStream) -> io::Result<()> {
        if self.bytes.len() > ANSWER_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "an endless answer"));
        }
        if self.bytes.len() - self.filled < READ / 2 {
            self.bytes.resize(self.bytes.len() + READ, 0);
        }
        loop {
            stream.readable().await?;
            match stream.try_read(self.bytes.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.filled += count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The parts of an answer, once its head is there.
fn parts(buffer: &[u8]) -> io::Result<Option<Parts>> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let bad = || io::Error::new(ErrorKind::InvalidData, "the answer is no HTTP/1.1");
    let head = buffer.get(..end).and_then(|head| std::str::from_utf8(head).ok()).ok_or_else(bad)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok()).ok_or_else(bad)?;
    let mut body = if status == 204 { Some(Body::Of(0)) } else { None };
    let mut closes = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        // Most headers are none of these: their length tells.
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => {
                body = Some(Body::Of(value.trim().parse().map_err(|_| bad())?));
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => body = Some(Body::Chunked),
            10 if name.eq_ignore_ascii_case("connection") => {
                closes = value.trim().eq_ignore_ascii_case("close");
            }
            _ => {}
        }
    }
    Ok(Some(Parts { status, head: end + 4, body: body.ok_or_else(bad)?, closes }))
}

/// Joins chunks; whether the last one is there.
fn join_chunks(mut bytes: &[u8], joined: &mut Vec<u8>) -> io::Result<bool> {
    joined.clear();
    loop {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Ok(false) };
        let size = bytes.get(..end).and_then(|size| std::str::from_utf8(size).ok());
        let size = size.and_then(|size| usize::from_str_radix(size.split(';').next()?.trim(), 16).ok());
        let size = size.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a bad chunk"))?;
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else { return Ok(false) };
        let Some(rest) = bytes.get(end + 2 + size + 2..) else { return Ok(false) };
        if size == 0 {
            return Ok(true);
        }
        joined.extend_from_slice(chunk);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        assert!(parts(text.get(..40).unwrap()).unwrap().is_none());
        let parts = parts(text).unwrap().unwrap();
        assert_eq!((parts.status, parts.head, parts.closes), (200, text.len() - 2, true));
        assert!(matches!(parts.body, Body::Of(2)));
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        assert!(parts(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(parts(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn chunks_are_joined_when_the_last_is_there() {
        let mut joined = Vec::new();
        assert!(!join_chunks(b"3\r\nabc\r\n2\r\nd", &mut joined).unwrap());
        assert!(join_chunks(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", &mut joined).unwrap());
        assert_eq!(joined, b"abcde");
    }

    #[test]
    fn cookies_are_found_by_their_name() {
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n\r\n";
        let answer = Answer { status: 200, head, body: b"" };
        assert_eq!((answer.cookie("b"), answer.cookie("c")), (Some("2"), None));
    }
}
