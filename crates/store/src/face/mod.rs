//! The store's face: what every engine does, by what it is about. How it is and isn't done is said at the
//! [crate](crate)'s head.

mod moving;
mod sessions;
mod shared;
mod users;
