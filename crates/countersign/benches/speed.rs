//! How long the parts of a request take: `cargo bench -p countersign --bench speed`. For comparisons on one quiet
//! machine; what guards against slowness is `counts`, and what compares us with others is `cargo xtask bench`.

#![allow(missing_docs, reason = "the macros make public items")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run is to stop")]

mod support;

use countersign::core::{Seconds, Timestamp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use support::Server;
use support::sessions::Sessions;
use support::tokens::Tokens;

fn tokens(criterion: &mut Criterion) {
    let tokens = Tokens::new();
    let mut group = criterion.benchmark_group("tokens");
    group.bench_function("sign an access token, EdDSA", |bench| {
        bench.iter(|| tokens.signing_key.sign_access(&tokens.access_claims).unwrap());
    });
    group.bench_function("verify an access token, EdDSA", |bench| {
        bench.iter(|| tokens.access_verifier.verify(&tokens.access, tokens.now).unwrap());
    });
    group.bench_function("sign a refresh token", |bench| {
        bench.iter(|| tokens.refresh_signer.sign(&tokens.refresh_claims));
    });
    group.bench_function("verify a refresh token", |bench| {
        bench.iter(|| tokens.refresh_verifier.verify(&tokens.refresh, tokens.now).unwrap());
    });
}

fn csrf(criterion: &mut Criterion) {
    let tokens = Tokens::new();
    let mut group = criterion.benchmark_group("csrf");
    group.bench_function("make a token", |bench| bench.iter(|| tokens.csrf_key.token(tokens.session)));
    group.bench_function("check a header", |bench| {
        bench.iter(|| tokens.csh.countersigned_by(tokens.csrf.expose().as_bytes()));
    });
}

/// Whole requests but for the network, one after the other. A refresh waits for the disk each time.
fn requests(criterion: &mut Criterion) {
    let mut server = Server::start();
    let client = server.log_in();
    let mut group = criterion.benchmark_group("requests");
    group.bench_function("profile, token seen before", |bench| {
        bench.iter(|| server.send(client.profile()));
    });
    let mut client = client.clone();
    group.bench_function("refresh: cookies in, rotation, cookies out", |bench| {
        bench.iter(|| client = server.refresh(&client));
    });
}

/// What the store does of a refresh, for 64 sessions at once.
fn rotation(criterion: &mut Criterion) {
    let mut sessions = Sessions::start(64);
    let mut now = Timestamp::from_secs(1_795_000_000);
    let mut group = criterion.benchmark_group("rotation");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 sessions at once, SQLite", |bench| {
        bench.iter(|| {
            now = now + Seconds(60);
            sessions.rotate(now);
        });
    });
}

criterion_group!(all, tokens, csrf, requests, rotation);
criterion_main!(all);
