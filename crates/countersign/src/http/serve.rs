//! The serving loop: accepts connections, speaks HTTP/1.1 on them, and stops without losing a request.
//!
//! It is what `axum::serve` is for a friendly network, and the following besides: a time limit on everything that a
//! client can be slow at (`axum::serve` installs no timer, so that hyper's own limits don't run), limits on the head of
//! a request, a bound on connections, a limit to the farewell.
//!
//! HTTP/1.1 alone: TLS ends at a proxy in front, and proxies speak HTTP/1.1 to what is behind them. That leaves out
//! HTTP/2's resets and continuations.
//!
//! It stops in three steps. *Last call*: answers say `Connection: close`, so that clients take their next request
//! elsewhere, and what was on its way is still accepted. *Farewell*: idle connections are closed, requests under way
//! finish. *Over*: what is left is cut off.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower_service::Service;

use super::patience::{Answer, Never, Patience, Requests, Timed, UnderWay};

/// How much memory a connection's buffers may take, in bytes; a head has to fit into it.
const BUFFER_MAX: usize = 64 * 1024;

/// How long to wait after the system refused a connection for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long those that are cut off may take to notice.
const CUT_OFF_TIME: Duration = Duration::from_secs(1);

/// What the loop puts up with. The default is what a server that faces the world needs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there may be at once; more wait to be accepted.
    pub connections: u32,
    /// How large the head of a request may be, in bytes: a bare `431` over it. (Of headers there may be 100.)
    pub head_bytes: usize,
    /// How long a head may take, from its first byte on, or from a connection's beginning.
    pub head_time: Duration,
    /// How long a connection may be idle between two requests.
    pub idle_time: Duration,
    /// How long an answer may wait for its client to read on.
    pub write_time: Duration,
    /// How long connections are still accepted after the stop.
    pub last_call: Duration,
    /// How long requests under way may take to finish after that.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            head_bytes: 32 * 1024,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            write_time: Duration::from_secs(30),
            last_call: Duration::from_millis(200),
            farewell: Duration::from_secs(10),
        }
    }
}

/// Serves a router until `stop` is ready, then lets the requests under way finish.
///
/// Fails only where the listener is none. What the system merely lacks for a while is logged and waited for.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    serve_within(Limits::default(), listener, router, stop).await
}

/// [`serve`], with limits of one's own.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Server {
        router: router.with_state(()),
        limits,
        slots: Arc::new(Semaphore::new(limits.connections as usize)),
        phase: watch::Sender::new(Phase::Serving),
    };
    let served = server.accept(&listener, stop).await;
    drop(listener);
    server.say_farewell().await;
    served
}

struct Server {
    router: Router,
    limits: Limits,
    /// One for each connection that there may be.
    slots: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    LastCall,
    Farewell,
    Over,
}

impl Server {
    /// Accepts connections until the last call is over.
    async fn accept(&self, listener: &TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut stop = pin!(async {
            stop.await;
            self.phase.send_replace(Phase::LastCall);
            sleep(self.limits.last_call).await;
        });
        loop {
            let next = async {
                let slot = Arc::clone(&self.slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                next = next => match next {
                    (Ok(slot), Ok((stream, peer))) => self.begin(stream, peer, slot),
                    // The semaphore is never closed.
                    (Err(_), _) => return Ok(()),
                    (_, Err(error)) => match Trouble::of(&error) {
                        Trouble::Connection => {}
                        Trouble::Listener => return Err(error),
                        Trouble::System => {
                            tracing::error!(%error, "no connection can be accepted right now");
                            tokio::select! {
                                () = &mut stop => return Ok(()),
                                () = sleep(ACCEPT_PAUSE) => {}
                            }
                        }
                    },
                },
            }
        }
    }

    /// Serves a connection, beside the others.
    fn begin(&self, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        // An answer is small, and written whole: there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let Limits { head_bytes, head_time, idle_time, write_time, .. } = self.limits;
        let patience = Patience { head: head_time, idle: idle_time, write: write_time };
        let connection = Connection {
            router: self.router.clone(),
            peer,
            phase: self.phase.subscribe(),
            head_bytes,
            patience,
        };
        tokio::spawn(async move {
            connection.serve(stream).await;
            drop(slot);
        });
    }

    async fn say_farewell(&self) {
        self.phase.send_replace(Phase::Farewell);
        let all_gone = || self.slots.acquire_many(self.limits.connections);
        if timeout(self.limits.farewell, all_gone()).await.is_err() {
            let left = self.limits.connections as usize - self.slots.available_permits();
            tracing::warn!(connections = left, "requests did not finish in time, and are cut off");
            self.phase.send_replace(Phase::Over);
            let _ = timeout(CUT_OFF_TIME, all_gone()).await;
        }
    }
}

/// What an error of `accept` is about (accept(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// The connection that was to be accepted: the next one may be fine.
    Connection,
    /// The system lacks something, such as file descriptors: it may have it again.
    System,
    /// The listener, which will never accept again.
    Listener,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) => Self::Listener,
            Some(
                Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PERM
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP,
            ) => Self::Connection,
            _ => Self::System,
        }
    }
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    phase: watch::Receiver<Phase>,
    head_bytes: usize,
    patience: Patience,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        let requests = Arc::<Requests>::default();
        let stream = TokioIo::new(Timed::new(stream, self.patience, Arc::clone(&requests)));
        let (router, peer, phase) = (self.router, self.peer, self.phase.clone());
        let service =
            service_fn(move |request| answer(router.clone(), peer, phase.clone(), requests.begin(), request));
        let served = http1::Builder::new()
            // `Timed` has the limits, since hyper can't tell a slow head from an idle connection. With a limit of its
            // own hyper looks for a next request at once when an answer is out: that starts ours.
            .timer(Never)
            .header_read_timeout(self.patience.head)
            .max_header_size(self.head_bytes)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(stream, service);
        let mut served = pin!(served);
        loop {
            tokio::select! {
                biased;
                end = &mut served => {
                    if let Err(error) = end {
                        tracing::debug!(peer = %self.peer, %error, "a connection broke off");
                    }
                    return;
                }
                changed = self.phase.changed() => match (changed, *self.phase.borrow_and_update()) {
                    (Ok(()), Phase::Serving | Phase::LastCall) => {}
                    (Ok(()), Phase::Farewell) => served.as_mut().graceful_shutdown(),
                    (Ok(()), Phase::Over) | (Err(_), _) => return,
                },
            }
        }
    }
}

/// Answers one request of a connection.
fn answer(
    mut router: Router,
    peer: SocketAddr,
    phase: watch::Receiver<Phase>,
    under_way: UnderWay,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
    // RFC 9112, section 3.2. Refused here, as the parser's refusals are: bare.
    let is_whole = request.version() != Version::HTTP_11 || request.headers().contains_key(header::HOST);
    request.extensions_mut().insert(ConnectInfo(peer));
    async move {
        let mut response = if is_whole {
            let Ok(response) = router.call(request).await;
            response
        } else {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        };
        if !is_whole || *phase.borrow() != Phase::Serving {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Answer { body, _request: under_way }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream as Socket};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use axum::routing::{any, get, post};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::{JoinHandle, spawn_blocking};

    use super::*;
    use crate::http::limits::RequestLimits;

    const SHORT: Duration = Duration::from_millis(80);

    /// No test gets here: it is how long a failing one takes.
    const LONG: Duration = Duration::from_secs(20);

    /// Limits that no test meets, but for the one that it sets.
    fn lenient() -> Limits {
        Limits {
            connections: 100,
            head_bytes: 32 * 1024,
            head_time: LONG,
            idle_time: LONG,
            write_time: LONG,
            last_call: Duration::ZERO,
            farewell: LONG,
        }
    }

    struct Site {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        done: JoinHandle<io::Result<()>>,
        /// How many requests reached a route.
        reached: Arc<AtomicUsize>,
        /// Lets a request to `/held` be answered.
        release: Arc<Notify>,
    }

    impl Site {
        async fn new(limits: Limits) -> Self {
            let reached = Arc::new(AtomicUsize::new(0));
            let release = Arc::new(Notify::new());
            let count = Arc::clone(&reached);
            let held = Arc::clone(&release);
            let router = Router::new()
                .route("/echo", post(|body: String| async move { body }))
                .route(
                    "/peer",
                    get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
                )
                .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
                .route("/held", get(move || async move { held.notified().await }))
                .fallback(any(|| async { "fine" }))
                .layer(RequestLimits { body_bytes: 1000, body_time: SHORT, answer_time: LONG })
                .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
                    count.fetch_add(1, Ordering::SeqCst);
                    async move { request }
                }));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel();
            let done = tokio::spawn(serve_within(limits, listener, router, async { _ = stopped.await }));
            Self { address, stop: Some(stop), done, reached, release }
        }

        /// Runs a client, which blocks.
        async fn client<T: Send + 'static>(&self, run: impl FnOnce(Client) -> T + Send + 'static) -> T {
            let address = self.address;
            spawn_blocking(move || run(Client::new(address))).await.unwrap()
        }

        /// Sends these bytes, and nothing more, and gives what came back until the connection was closed.
        async fn exchange(&self, sent: impl AsRef<[u8]> + Send + 'static) -> String {
            self.client(move |mut client| {
                client.send(sent);
                client.rest()
            })
            .await
        }

        fn stop(&mut self) {
            self.stop.take().unwrap().send(()).unwrap();
        }

        async fn stopped(self) {
            timeout(LONG, self.done).await.unwrap().unwrap().unwrap();
        }
    }

    struct Client(Socket);

    impl Client {
        fn new(address: SocketAddr) -> Self {
            let socket = Socket::connect(address).unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            Self(socket)
        }

        fn send(&mut self, bytes: impl AsRef<[u8]>) {
            self.0.write_all(bytes.as_ref()).unwrap();
        }

        /// All that comes until the server closes.
        fn rest(&mut self) -> String {
            let mut bytes = Vec::new();
            let mut piece = [0; 4096];
            loop {
                match self.0.read(&mut piece) {
                    Ok(0) => break,
                    Ok(n) => bytes.extend_from_slice(&piece[..n]),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                    Err(error) => panic!("the server did not close: {error}"),
                }
            }
            String::from_utf8(bytes).unwrap()
        }

        /// One answer; its connection stays open.
        fn answer(&mut self) -> io::Result<String> {
            let mut answer = String::new();
            let mut piece = [0; 4096];
            while !answer.ends_with("fine") {
                match self.0.read(&mut piece)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => answer.push_str(std::str::from_utf8(&piece[..n]).unwrap()),
                }
            }
            Ok(answer)
        }
    }

    fn request(line: &str, headers: &str, body: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
    }

    fn get_root() -> String {
        request("GET /", "", "")
    }

    #[track_caller]
    fn assert_status(answer: &str, status: &str) {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_is_answered_and_the_peer_is_known() {
        let site = Site::new(lenient()).await;
        let (answer, own) = site
            .client(|mut client| {
                client.send(request("GET /peer", "Connection: close\r\n", ""));
                (client.rest(), client.0.local_addr().unwrap())
            })
            .await;
        assert_status(&answer, "200 OK");
        assert!(answer.ends_with(&own.to_string()), "{answer}");
    }

    // attack 109
    #[tokio::test(flavor = "multi_thread")]
    async fn a_head_that_never_comes_or_is_dribbled_ends_the_connection() {
        let site = Site::new(Limits { head_time: SHORT, ..lenient() }).await;
        assert_eq!(site.exchange("").await, "");
        assert_eq!(site.exchange("GET / HTTP/1.1\r\nHost: a\r\n").await, "");
        let begun = Instant::now();
        site.client(|client| {
            let mut dribble = client.0.try_clone().unwrap();
            dribble.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            let closed = |read: io::Result<usize>| match read {
                Ok(n) => n == 0,
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            while dribble.write_all(b"X").is_ok() && !closed(dribble.read(&mut [0])) {}
        })
        .await;
        assert!((SHORT..LONG).contains(&begun.elapsed()));
    }

    // attack 109
    #[tokio::test(flavor = "multi_thread")]
    async fn many_silent_connections_keep_nobody_out() {
        let site = Site::new(Limits { connections: 50, head_time: SHORT, ..lenient() }).await;
        let silent: Vec<_> = (0..200).map(|_| Socket::connect(site.address).unwrap()).collect();
        let answer = site.exchange(request("GET /", "Connection: close\r\n", "")).await;
        assert_status(&answer, "200 OK");
        drop(silent);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_idle_connection_outlives_the_time_for_a_head_and_is_closed_in_the_end() {
        let idle = SHORT * 5;
        let site = Site::new(Limits { head_time: SHORT, idle_time: idle, ..lenient() }).await;
        let (second, waited) = site
            .client(move |mut client| {
                client.send(get_root());
                client.answer().unwrap();
                client.0.set_read_timeout(Some(SHORT * 2)).unwrap();
                assert_eq!(client.0.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
                client.0.set_read_timeout(Some(LONG)).unwrap();
                client.send(get_root());
                let second = client.answer().unwrap();
                let begun = Instant::now();
                assert_eq!(client.rest(), "");
                (second, begun.elapsed())
            })
            .await;
        assert_status(&second, "200 OK");
        assert!(waited < LONG);
    }

    // attack 109
    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_head_has_no_more_time_than_the_first() {
        let site = Site::new(Limits { head_time: SHORT, ..lenient() }).await;
        let rest = site
            .client(|mut client| {
                client.send(get_root());
                client.answer().unwrap();
                client.send("GET / HT");
                client.rest()
            })
            .await;
        assert_eq!(rest, "");
    }

    // attack 109
    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_body_is_408() {
        let site = Site::new(lenient()).await;
        let answer = site.exchange(request("POST /echo", "Content-Length: 10\r\n", "12345")).await;
        assert_status(&answer, "408 Request Timeout");
        assert!(answer.contains("request_timeout"), "{answer}");
    }

    // attack 109
    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_nobody_reads_ends_the_connection() {
        let site = Site::new(Limits { connections: 1, write_time: SHORT, ..lenient() }).await;
        let lazy = site
            .client(|mut client| {
                client.send(request("GET /large", "", ""));
                client
            })
            .await;
        let answer = site.exchange(request("GET /", "Connection: close\r\n", "")).await;
        assert_status(&answer, "200 OK");
        drop(lazy);
    }

    // attack 111
    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_over_the_limit_is_413_however_it_comes() {
        let site = Site::new(lenient()).await;
        let large = "x".repeat(500_000);
        let declared = request("POST /echo", "Content-Length: 500000\r\nConnection: close\r\n", &large);
        assert_status(&site.exchange(declared).await, "413 Payload Too Large");
        let chunk = format!("7a120\r\n{large}\r\n0\r\n\r\n");
        let chunked = request("POST /echo", "Transfer-Encoding: chunked\r\nConnection: close\r\n", &chunk);
        assert_status(&site.exchange(chunked).await, "413 Payload Too Large");
        let asked = request("POST /echo", "Content-Length: 500000\r\nExpect: 100-continue\r\n", "");
        assert_status(&site.exchange(asked).await, "413 Payload Too Large");
    }

    // attack 111
    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_without_an_end_is_413_too() {
        let site = Site::new(lenient()).await;
        let answer = site
            .client(|mut client| {
                client.send(request("POST /echo", "Transfer-Encoding: chunked\r\n", ""));
                let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
                while client.0.write_all(chunk.as_bytes()).is_ok() {}
                client.rest()
            })
            .await;
        assert_status(&answer, "413 Payload Too Large");
        assert!(answer.contains("connection: close"), "{answer}");
    }

    // attack 110
    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_with_two_lengths_is_read_in_one_way_and_its_connection_ends() {
        let smuggled = get_root();
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ] {
            let site = Site::new(lenient()).await;
            let answer = site.exchange(request("POST /echo", headers, &format!("0\r\n\r\n{smuggled}"))).await;
            assert_status(&answer, "200 OK");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
            assert_eq!(site.reached.load(Ordering::SeqCst), 1);
        }
    }

    // attack 110
    #[tokio::test(flavor = "multi_thread")]
    async fn a_length_that_is_none_is_400_and_its_connection_ends() {
        let site = Site::new(lenient()).await;
        for headers in [
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 5, 6\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
        ] {
            let answer = site.exchange(request("POST /echo", headers, &("x".repeat(5) + &get_root()))).await;
            assert_status(&answer, "400 Bad Request");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers}");
        }
        for chunk in ["zz\r\n", "ffffffffffffffffff\r\n", "5;\n\nx", "-1\r\n"] {
            let answer = site.exchange(request("POST /echo", "Transfer-Encoding: chunked\r\n", chunk)).await;
            assert_status(&answer, "400 Bad Request");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{chunk}");
        }
    }

    // attack 69
    #[tokio::test(flavor = "multi_thread")]
    async fn a_head_over_the_limits_is_431() {
        let site = Site::new(lenient()).await;
        let bomb = |bytes: usize| format!("Cookie: a={}\r\nConnection: close\r\n", "x".repeat(bytes));
        assert_status(&site.exchange(request("GET /", &bomb(16 * 1024), "")).await, "200 OK");
        for headers in [bomb(40 * 1024), bomb(1024 * 1024), "a: b\r\n".repeat(101)] {
            let answer = site
                .client(move |mut client| {
                    // The server may close before all of it is written.
                    let _ = client.0.write_all(request("GET /", &headers, "").as_bytes());
                    client.rest()
                })
                .await;
            assert_status(&answer, "431 Request Header Fields Too Large");
        }
    }

    // attack 60, attack 110
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_http_is_400_or_nothing() {
        let site = Site::new(lenient()).await;
        for sent in [
            "nonsense\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let answer = site
                .client(move |mut client| {
                    client.send(sent);
                    client.0.shutdown(Shutdown::Write).unwrap();
                    client.rest()
                })
                .await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{sent:?}: {answer}");
        }
        assert_eq!(site.reached.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_connections_than_allowed_wait_for_a_slot() {
        let site = Site::new(Limits { connections: 2, ..lenient() }).await;
        let mut first = site.client(|client| client).await;
        let second = site.client(|client| client).await;
        first.send(get_root());
        first.answer().unwrap();
        let third = site
            .client(move |mut client| {
                client.send(request("GET /", "Connection: close\r\n", ""));
                client.0.set_read_timeout(Some(SHORT)).unwrap();
                assert_eq!(client.0.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
                client.0.set_read_timeout(Some(LONG)).unwrap();
                drop(first);
                client.rest()
            })
            .await;
        assert_status(&third, "200 OK");
        drop(second);
    }

    // attack 112
    #[tokio::test(flavor = "multi_thread")]
    async fn a_stop_lets_a_request_finish_and_closes_what_is_idle() {
        let mut site = Site::new(lenient()).await;
        let mut idle = site.client(|client| client).await;
        let mut held = site.client(|client| client).await;
        held.send(request("GET /held", "", ""));
        while site.reached.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        site.stop();
        assert_eq!(spawn_blocking(move || idle.rest()).await.unwrap(), "");
        assert!(Socket::connect(site.address).is_err());
        assert!(!site.done.is_finished());
        site.release.notify_one();
        let answer = spawn_blocking(move || held.rest()).await.unwrap();
        assert_status(&answer, "200 OK");
        assert!(answer.contains("connection: close"), "{answer}");
        site.stopped().await;
    }

    // attack 112
    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_never_finishes_does_not_hold_up_the_stop() {
        let mut site = Site::new(Limits { farewell: SHORT, ..lenient() }).await;
        let mut held = site.client(|client| client).await;
        held.send(request("GET /held", "", ""));
        while site.reached.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        site.stop();
        site.stopped().await;
        assert_eq!(spawn_blocking(move || held.rest()).await.unwrap(), "");
    }

    // attack 112
    #[tokio::test(flavor = "multi_thread")]
    async fn a_stop_under_load_loses_no_request_that_was_taken() {
        let mut site = Site::new(Limits { last_call: SHORT, ..lenient() }).await;
        let address = site.address;
        // A client goes on with a connection until it is told not to, then opens another, until nobody is there.
        let client = move || {
            let mut answered = 0;
            while let Ok(socket) = Socket::connect(address) {
                socket.set_read_timeout(Some(LONG)).unwrap();
                let mut client = Client(socket);
                while client.0.write_all(get_root().as_bytes()).is_ok() {
                    let Ok(answer) = client.answer() else { break };
                    answered += 1;
                    if answer.contains("connection: close") {
                        break;
                    }
                }
            }
            answered
        };
        let clients: Vec<_> = (0..8).map(|_| spawn_blocking(client)).collect();
        while site.reached.load(Ordering::SeqCst) < 200 {
            tokio::task::yield_now().await;
        }
        site.stop();
        let mut answered = 0;
        for client in clients {
            answered += client.await.unwrap();
        }
        assert_eq!(answered, site.reached.load(Ordering::SeqCst));
        site.stopped().await;
    }

    #[test]
    fn only_a_listener_that_is_none_ends_the_loop() {
        let trouble = |errno: Errno| Trouble::of(&io::Error::from(errno));
        assert_eq!(trouble(Errno::MFILE), Trouble::System);
        assert_eq!(trouble(Errno::NOMEM), Trouble::System);
        assert_eq!(trouble(Errno::CONNABORTED), Trouble::Connection);
        assert_eq!(trouble(Errno::BADF), Trouble::Listener);
        assert_eq!(Trouble::of(&io::Error::other("?")), Trouble::System);
    }
}
