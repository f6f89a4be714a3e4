//! Something in front of a server, that may meddle with what passes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::Server;

/// A free port, before anything answers there.
pub(crate) struct Port(TcpListener);

impl Port {
    pub(crate) fn free() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Answers here from now on, as long as the test runs: `pass` gets each request, and the server to hand it on to.
    pub(crate) fn open(self, pass: impl Fn(&str) -> String + Send + Sync + 'static) {
        self.accept(move |mut stream| answer(&mut stream, &pass));
    }

    /// The same with TLS.
    pub(crate) fn open_tls(self, pass: impl Fn(&str) -> String + Send + Sync + 'static) {
        let config = Arc::new(tls());
        self.accept(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            answer(&mut StreamOwned::new(connection, stream), &pass);
        });
    }

    fn accept(self, serve: impl Fn(TcpStream) + Send + 'static) {
        std::thread::spawn(move || {
            for stream in self.0.incoming() {
                serve(stream.unwrap());
            }
        });
    }
}

impl Server {
    /// The server as a proxy sees it: gets a request, gives the answer.
    pub(crate) fn handle(&self) -> impl Fn(&str) -> String + Send + Sync + use<> {
        let address = self.address.clone();
        move |request| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }
    }
}

/// One request a connection. A client that went away, or trusts nobody here, is no fault of the proxy.
fn answer(stream: &mut (impl Read + Write), pass: &impl Fn(&str) -> String) {
    if let Some(request) = read(stream) {
        let _ = stream.write_all(pass(&request).as_bytes()).and_then(|()| stream.flush());
    }
}

fn read(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

fn tls() -> ServerConfig {
    let file = |name| format!("{}/tests/cli/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(file("localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("localhost.key")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}
