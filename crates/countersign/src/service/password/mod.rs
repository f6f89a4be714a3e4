//! Passwords: how they are chosen, stored and checked.
//!
//! - [`policy`]: which passwords may be chosen.
//! - [`hash`]: a [`Password`] as it was received, a [`StoredHash`], and the [`Hasher`] that compares the two.
//! - `format`: the stored formats that we read, and the work that we refuse to do for one.
//! - `function`: the key derivation functions behind them, and the memory that is kept for Argon2.
//! - [`pool`]: the few low-priority threads that do all hashing for the server, behind a bounded queue.
//! - [`floor`]: how soon a failed login may be answered, so that its time tells nothing.
//!
//! # What a check costs
//!
//! | the account | hashes |
//! | --- | --- |
//! | unknown or inactive (the caller passes no hash), without a usable password, or with a stored hash that we refuse | one, of the current parameters |
//! | known, wrong password | one, of the stored format |
//! | known, right password, current format | one |
//! | known, right password, older format | two: the second is to be stored instead of the first |
//!
//! Only the second row can differ from the first, and only while older formats are stored. The [`Floor`] hides that.
//!
//! # As received
//!
//! A password is the text that was sent, byte for byte: not trimmed, cut, folded or normalised (ASVS 6.2.8). The same
//! word typed as NFC and as NFD is two passwords.
//!
//! One stored format can't hold to that: Django's plain `bcrypt$`, of which 72 bytes count. It is checked as Django did,
//! and the right password is hashed anew at once, whole: from that login on every byte counts.

mod cost;
pub mod floor;
mod format;
mod function;
pub mod hash;
pub mod policy;
pub mod pool;

pub use floor::Floor;
pub use hash::{Hasher, Password, Standing, StoredHash, TooLong};
pub use policy::{PasswordPolicy, Reason};
pub use pool::{Checked, HashingError, HashingPool};
