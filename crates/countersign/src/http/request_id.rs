//! The id of a request: the one that it came with, or a new one.
//!
//! Whatever writes the log looks it up ([`request_id`]). That costs a request two moves, while a span, which tells a
//! subscriber that wants spans the same, costs it some 6,000 instructions, whether or not anything is logged.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_lc_rs::rand::SecureRandom;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is kept, in bytes.
const ID_MAX: usize = 128;

thread_local! {
    /// Of the request that this thread is working at.
    static CURRENT: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// The id of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId {
    /// ASCII, and as much of it as `length` says.
    bytes: [u8; ID_MAX],
    length: usize,
}

/// The id of the request that is being answered here and now, for a subscriber that writes it beside what is logged.
///
/// A subscriber that keeps spans can do without: each request is in a span `request` with its `id`, of level `ERROR`.
/// There is none outside of requests, nor in tasks that a handler of yours spawns.
pub fn request_id() -> Option<RequestId> {
    CURRENT.get()
}

impl RequestId {
    /// The id that a request came with, if it is one that can stand anywhere: short, and of harmless characters.
    pub(super) fn sent(headers: &HeaderMap) -> Option<Self> {
        let mut sent = headers.get_all(X_REQUEST_ID).iter();
        let (Some(id), None) = (sent.next(), sent.next()) else { return None };
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let fine = !id.is_empty() && id.as_bytes().iter().all(harmless);
        if fine { Self::of(id.as_bytes()) } else { None }
    }

    fn of(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; ID_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, length: id.len() })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The id as a header's value.
    pub(super) fn to_header(self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static("-"))
    }
}

/// New ids. Bytes are drawn for many at a time: to draw a few costs as much.
pub(super) struct Ids {
    random: Arc<dyn SecureRandom + Send + Sync>,
    drawn: Mutex<Vec<[u8; 16]>>,
}

impl Ids {
    pub(super) fn new(random: Arc<dyn SecureRandom + Send + Sync>) -> Self {
        Self { random, drawn: Mutex::default() }
    }

    /// Should the source of randomness fail, the id is merely not unique.
    pub(super) fn next(&self) -> RequestId {
        let mut bytes = [0; ID_MAX];
        // It fits: 16 bytes are 22 characters.
        let length = URL_SAFE_NO_PAD.encode_slice(self.draw(), &mut bytes).unwrap_or_default();
        RequestId { bytes, length }
    }

    fn draw(&self) -> [u8; 16] {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.is_empty() {
            let mut bytes = [[0; 16]; 64];
            let _ = self.random.fill(bytes.as_flattened_mut());
            drawn.extend(bytes);
        }
        drawn.pop().unwrap_or_default()
    }
}

/// Works at a request, or at none.
pub(super) fn work_at<T>(id: Option<RequestId>, work: impl FnOnce() -> T) -> T {
    let _before = Before(CURRENT.replace(id));
    work()
}

/// What this thread was working at before; it goes back to that, also when the work panics.
struct Before(Option<RequestId>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

pin_project_lite::pin_project! {
    /// Work of a request that is done in a task of its own.
    pub(super) struct Carried<F> {
        #[pin]
        work: F,
        id: Option<RequestId>,
    }
}

/// Lets work know the current request wherever it is done.
pub(super) fn carry<F: Future>(work: F) -> Carried<F> {
    Carried { work, id: request_id() }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        work_at(*this.id, || this.work.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &'static str) -> RequestId {
        RequestId::of(text.as_bytes()).unwrap()
    }

    fn current() -> Option<String> {
        request_id().map(|id| id.as_str().to_owned())
    }

    #[test]
    fn the_current_request_is_the_innermost_one_and_none_outside() {
        work_at(Some(id("outer")), || {
            work_at(Some(id("inner")), || assert_eq!(current().unwrap(), "inner"));
            assert_eq!(current().unwrap(), "outer");
            work_at(None, || assert_eq!(current(), None));
        });
        assert_eq!(current(), None);
    }

    #[test]
    fn a_panic_leaves_no_request_behind() {
        let work = || work_at(Some(id("r-1")), || panic!("out of order"));
        assert!(std::panic::catch_unwind(work).is_err());
        assert_eq!(current(), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_in_a_task_of_its_own_knows_its_request() {
        let work = work_at(Some(id("r-1")), || {
            carry(async {
                tokio::task::yield_now().await;
                current()
            })
        });
        assert_eq!(tokio::spawn(work).await.unwrap().unwrap(), "r-1");
        assert_eq!(current(), None);
    }
}
