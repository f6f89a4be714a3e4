//! Verify Countersign's access tokens in any service.

mod bearer;
mod cache;
mod clock;
mod csrf;
mod denied;
mod layer;
mod liveness;
mod problem;
mod verifier;

pub use clock::SystemClock;
pub use countersign_core::jwt::{AccessClaims, KeySet};
pub use csrf::{CSRF_HEADERS, CsrfFailure, CsrfHeader, check_countersignature, csrf_header, is_unsafe};
pub use denied::Denied;
pub use layer::{AuthLayer, Authenticated, Guarded, Guarding};
pub use liveness::{Answer, Liveness, NoLiveness, NotLive};
pub use problem::{Challenge, Problem};
pub use verifier::Verifier;
