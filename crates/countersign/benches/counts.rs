//! How many instructions the hot paths take, each with a limit: `cargo bench -p countersign --bench counts`.
//!
//! Valgrind counts them on a processor of its own making, so neither a busy machine nor another kind of one changes
//! much. That processor has AVX2 but no SHA extensions: hashes are dearer there than in life. A new compiler or
//! allocator moves a count by a few in a hundred; a limit lies a tenth above what was counted when it was set.
//!
//! Where something is worth its price, set the new limit in the same commit, and say why there. How to see where the
//! instructions go stands in `docs/performance.md`.

#![allow(missing_docs, reason = "the macros make public items")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run is to stop")]

mod support;

use axum::body::Body;
use countersign::core::jwt::{AccessClaims, RefreshClaims};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::Request;

use support::Server;
use support::tokens::Tokens;

/// At most so many instructions.
fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// A server that is warm, and a request for the profile.
fn profile() -> (Server, Request<Body>) {
    let mut server = Server::start();
    let client = server.log_in();
    for _ in 0..3 {
        server.send(client.profile());
    }
    (server, client.profile())
}

/// A server that is warm, and a refresh.
fn refresh() -> (Server, Request<Body>) {
    let mut server = Server::start();
    let mut client = server.log_in();
    for _ in 0..3 {
        client = server.refresh(&client);
    }
    (server, client.refresh())
}

#[library_benchmark(config = limit(42_000))]
#[bench::token_seen_before(setup = profile)]
fn request_profile((mut server, request): (Server, Request<Body>)) -> Server {
    server.send(request);
    server
}

// Without what the store's thread does.
#[library_benchmark(config = limit(332_000))]
#[bench::with_rotation(setup = refresh)]
fn request_refresh((mut server, request): (Server, Request<Body>)) -> Server {
    server.send(request);
    server
}

#[library_benchmark(config = limit(167_000))]
#[bench::eddsa(setup = Tokens::new)]
fn sign_access(tokens: Tokens) -> (Tokens, String) {
    let token = tokens.signing_key.sign_access(&tokens.access_claims).unwrap();
    (tokens, token)
}

#[library_benchmark(config = limit(564_000))]
#[bench::eddsa(setup = Tokens::new)]
fn verify_access(tokens: Tokens) -> (Tokens, AccessClaims) {
    let claims = tokens.access_verifier.verify(&tokens.access, tokens.now).unwrap();
    (tokens, claims)
}

#[library_benchmark(config = limit(36_000))]
#[bench::hs256(setup = Tokens::new)]
fn sign_refresh(tokens: Tokens) -> (Tokens, String) {
    let token = tokens.refresh_signer.sign(&tokens.refresh_claims);
    (tokens, token)
}

#[library_benchmark(config = limit(39_000))]
#[bench::hs256(setup = Tokens::new)]
fn verify_refresh(tokens: Tokens) -> (Tokens, RefreshClaims) {
    let claims = tokens.refresh_verifier.verify(&tokens.refresh, tokens.now).unwrap();
    (tokens, claims)
}

#[library_benchmark(config = limit(10_500))]
#[bench::made_and_checked(setup = Tokens::new)]
fn check_csrf(tokens: Tokens) -> (Tokens, bool) {
    let token = tokens.csrf_key.token(tokens.session);
    let good = tokens.csh.countersigned_by(token.expose().as_bytes());
    (tokens, good)
}

library_benchmark_group!(
    name = hot_paths;
    benchmarks = request_profile, request_refresh, sign_access, verify_access, sign_refresh, verify_refresh, check_csrf
);
main!(library_benchmark_groups = hot_paths);
