//! HTTP: everything that knows of headers, cookies and connections. What the product does is in `service`.

pub mod body;
pub mod client;
pub mod cookies;
pub mod cross_origin;

#[cfg(test)]
pub(crate) mod testing;
