//! How long a connection is waited for.
//!
//! hyper has one timer, for the head of a request, and it runs while a connection is idle too. Those two want different
//! limits. Whoever dribbles a head has ten seconds. But a connection between two requests must outlive the patience of
//! a proxy in front (nginx and AWS keep theirs for 60 s), or the proxy sends a request on the one that we are just
//! closing, and its user sees a 502. So the reads and writes of a connection are timed here, by what it is doing:
//!
//! - a head has begun, or the connection is new: [`Patience::head`];
//! - it is idle between two requests: [`Patience::idle`];
//! - a request is under way: no read is timed, the layer [`limits`](super::limits) does that;
//! - an answer is not being read: [`Patience::write`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::rt::Timer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What is no longer than this is written in one piece, in bytes: the system takes 0.2 µs less for `send` than for
/// `writev`, and a copy of a small answer takes a tenth of that.
const JOINED_MAX: usize = 1024;

/// The limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the whole head of a request, from its first byte on.
    pub(super) head: Duration,
    /// From the end of an answer to the first byte of the next request.
    pub(super) idle: Duration,
    /// For any progress of an answer.
    pub(super) write: Duration,
}

/// A connection whose reads and writes fail with `TimedOut` when the patience is over.
pub(super) struct Timed<I> {
    io: I,
    patience: Patience,
    requests: Arc<Requests>,
    /// How many requests had begun when it was last looked.
    begun: usize,
    waiting: Waiting,
    /// When whoever is waited for is too late.
    read_deadline: Instant,
    /// Goes off at that moment, or before it: then it is set again. So it is hardly ever touched on a busy connection.
    read_timer: Pin<Box<Sleep>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

/// What the next byte is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Nothing that is timed.
    Untimed,
    /// The first byte of a request.
    Idle,
    /// More of a head that has just begun, if more is needed at all: most are there at once, and no clock is read.
    Begun,
    /// The rest of a head.
    Head,
}

/// The requests of a connection, counted.
#[derive(Default)]
pub(super) struct Requests {
    begun: AtomicUsize,
    over: AtomicUsize,
}

/// A request under way: over when this is dropped.
pub(super) struct UnderWay(Arc<Requests>);

impl Requests {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Ordering::AcqRel);
    }
}

impl<I> Timed<I> {
    /// A new connection: its first head is waited for from now on.
    pub(super) fn new(io: I, patience: Patience, requests: Arc<Requests>) -> Self {
        Self {
            io,
            patience,
            requests,
            begun: 0,
            waiting: Waiting::Head,
            read_deadline: Instant::now() + patience.head,
            read_timer: Box::pin(sleep(patience.head)),
            write_timer: None,
        }
    }

    /// Whether a request is under way. Notices, too, if another one began since it was last looked.
    fn under_way(&mut self) -> bool {
        let begun = self.requests.begun.load(Ordering::Acquire);
        if begun != self.begun {
            self.begun = begun;
            self.waiting = Waiting::Untimed;
        }
        begun != self.requests.over.load(Ordering::Acquire)
    }

    fn wait_for(&mut self, what: Waiting, patience: Duration) {
        self.waiting = what;
        self.read_deadline = Instant::now() + patience;
        if self.read_deadline < self.read_timer.deadline() {
            self.read_timer.as_mut().reset(self.read_deadline);
        }
    }

    /// Ready when whoever is waited for is too late.
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.read_timer.as_mut().poll(cx).is_ready() {
            if self.read_timer.deadline() >= self.read_deadline {
                return Poll::Ready(());
            }
            self.read_timer.as_mut().reset(self.read_deadline);
        }
        Poll::Pending
    }

    /// Ends a write that waits for too long.
    fn timed_write(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if poll.is_ready() {
            self.write_timer = None;
            return poll;
        }
        let patience = self.patience.write;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Timed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let poll = Pin::new(&mut this.io).poll_read(cx, buffer);
        if this.under_way() {
            return poll;
        }
        if poll.is_ready() {
            if buffer.filled().len() > before && this.waiting != Waiting::Head {
                this.waiting = Waiting::Begun;
            }
            return poll;
        }
        match this.waiting {
            Waiting::Untimed => this.wait_for(Waiting::Idle, this.patience.idle),
            Waiting::Begun => this.wait_for(Waiting::Head, this.patience.head),
            Waiting::Idle | Waiting::Head => {}
        }
        this.poll_too_late(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Timed<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.timed_write(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = [0; JOINED_MAX];
        let poll = match joined(slices, &mut room) {
            Some(whole) => Pin::new(&mut self.io).poll_write(cx, whole),
            None => Pin::new(&mut self.io).poll_write_vectored(cx, slices),
        };
        self.timed_write(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// All slices in one piece, if there is room.
fn joined<'a>(slices: &[io::IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut length = 0;
    for slice in slices {
        room.get_mut(length..)?.get_mut(..slice.len())?.copy_from_slice(slice);
        length += slice.len();
    }
    room.get(..length)
}

/// A timer for hyper that never goes off: the limits are ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Self)
    }

    fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Self)
    }
}

impl hyper::rt::Sleep for Never {}

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// The body of an answer, with which its request is over.
pub(super) struct Answer {
    pub(super) body: Body,
    pub(super) _request: UnderWay,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
