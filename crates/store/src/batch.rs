//! What was gathered in memory, to be written down in the background.

use countersign_core::Timestamp;

use crate::{AuditEvent, Failures};

/// Events of the audit and failed guesses, which are written together or not at all, and under their id once.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its name: whoever doesn't know whether it was written writes it again under the same one.
    pub id: BatchId,
    /// When it was put together.
    pub at: Timestamp,
    /// Events. Those of one [`AuditEvent::bucket`] become one row with a count.
    pub events: Vec<AuditEvent>,
    /// Failed guesses, to add to the ceilings of accounts.
    pub failures: Vec<Failures>,
}

/// The name of a batch: random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchId(pub [u8; 16]);
