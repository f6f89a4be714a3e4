//! What was verified once is remembered, and never answers for anything that has changed since. attack 23

use std::sync::Arc;

use countersign_core::Seconds;
use countersign_verify::{AccessClaims, Answer, Liveness, NoLiveness, NotLive, Verifier};
use http::{HeaderMap, Method, header};
use tokio::sync::Notify;

use crate::support::{AUDIENCE, ISSUER, KEY, NOW, World, claims, keys, session, signing_key, token};

#[tokio::test]
async fn a_token_is_asked_about_at_its_first_sight_only() {
    let world = World::new();
    for _ in 0..5 {
        world.bearer(&token(1)).await.is_let_in();
    }
    assert_eq!(world.sessions.asked(), 1);
    let later = AccessClaims { issued_at: NOW + 1, ..claims(1) };
    world.bearer(&KEY.sign_access(&later).unwrap()).await.is_let_in();
    assert_eq!(world.sessions.asked(), 2, "another token of the same session");
}

#[tokio::test]
async fn without_a_cache_every_sight_is_the_first() {
    let world = World::tuned(|verifier| verifier.with_cache_capacity(0));
    world.bearer(&token(1)).await.is_let_in();
    world.bearer(&token(1)).await.is_let_in();
    assert_eq!(world.sessions.asked(), 2);
}

// attack 23
#[tokio::test]
async fn a_remembered_token_expires_to_the_second() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.clock.turn(309);
    world.bearer(&token(1)).await.is_let_in();
    assert_eq!(world.sessions.asked(), 1, "it was remembered until then");
    world.clock.turn(1);
    world.bearer(&token(1)).await.is(401, "token_expired");
    world.bearer(&token(1)).await.is(401, "token_expired");
}

// attack 23
#[tokio::test]
async fn a_remembered_token_ends_with_its_session() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.sessions.end(session(1), NotLive::Ended);
    world.bearer(&token(1)).await.is(401, "session_ended");
}

// attack 23, attack 24
#[tokio::test]
async fn a_remembered_token_ends_with_its_key() {
    let world = World::new();
    let next = signing_key("next");
    world.bearer(&token(1)).await.is_let_in();
    world.verifier.replace_keys(keys([&KEY, &next]));
    world.bearer(&token(1)).await.is_let_in();
    world.bearer(&next.sign_access(&claims(1)).unwrap()).await.is_let_in();
    world.verifier.replace_keys(keys([&next]));
    world.bearer(&token(1)).await.is_token_invalid("its key was removed");
    world.bearer(&next.sign_access(&claims(1)).unwrap()).await.is_let_in();
}

// attack 23
#[tokio::test]
async fn a_remembered_token_does_not_pass_under_another_key_of_the_same_name() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.verifier.replace_keys(keys([]));
    world.verifier.replace_keys(keys([&signing_key("ours")]));
    world.bearer(&token(1)).await.is_token_invalid("the name has changed hands");
}

// attack 23
#[tokio::test]
async fn a_token_that_was_refused_is_not_remembered() {
    let world = World::new();
    world.bearer(&token(2)).await.is_token_invalid("unknown session");
    world.sessions.start(session(2), claims(2).user);
    world.bearer(&token(2)).await.is_let_in();
}

// attack 23
#[tokio::test]
async fn a_token_whose_session_had_ended_is_asked_about_each_time() {
    let world = World::new();
    world.sessions.end(session(1), NotLive::Ended);
    for _ in 0..3 {
        world.bearer(&token(1)).await.is(401, "session_ended");
    }
    assert_eq!(world.sessions.asked(), 3);
}

// attack 23
#[tokio::test]
async fn a_remembered_token_never_answers_for_another() {
    let world = World::new();
    let good = token(1);
    world.bearer(&good).await.is_let_in();
    let (text, signature) = good.rsplit_once('.').unwrap();
    let other_signature = KEY.sign_access(&claims(2)).unwrap();
    let other_signature = other_signature.rsplit('.').next().unwrap();
    world.bearer(&format!("{text}.{other_signature}")).await.is_token_invalid("same claims, other signature");
    world.bearer(&format!("{text}.")).await.is_token_invalid("same claims, no signature");
    world.bearer(signature).await.is_token_invalid("the signature alone");
}

// attack 23
#[tokio::test]
async fn a_leeway_of_its_own_is_the_leeway_of_remembered_tokens_too() {
    let world = World::tuned(|verifier| verifier.with_leeway(Seconds(0)));
    world.bearer(&token(1)).await.is_let_in();
    world.clock.turn(300);
    world.bearer(&token(1)).await.is(401, "token_expired");
}

#[tokio::test]
async fn a_service_that_only_verifies_asks_nobody() {
    let world = World::tuned(|verifier| verifier.with_liveness(Arc::new(NoLiveness)));
    world.bearer(&token(2)).await.is_let_in();
    assert_eq!(world.sessions.asked(), 0);
}

/// Answers when it is told to.
#[derive(Default)]
struct Slow {
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

impl Liveness for Slow {
    fn check(&self, _: &AccessClaims, _: bool) -> Answer {
        let (asked, answer) = (Arc::clone(&self.asked), Arc::clone(&self.answer));
        Answer::later(async move {
            asked.notify_one();
            answer.notified().await;
            Ok(())
        })
    }
}

// attack 23
#[tokio::test]
async fn an_answer_that_comes_after_the_key_has_gone_revives_nothing() {
    let slow = Arc::new(Slow::default());
    let world = World::new();
    let verifier = Verifier::new(keys([&KEY]), ISSUER, AUDIENCE)
        .with_clock(world.clock.clone())
        .with_liveness(slow.clone());
    let verifier = Arc::new(verifier);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {}", token(1)).parse().unwrap());

    let first = tokio::spawn({
        let (verifier, headers) = (Arc::clone(&verifier), headers.clone());
        async move { verifier.authenticate(&headers, &Method::GET).await }
    });
    slow.asked.notified().await;
    verifier.replace_keys(keys([&signing_key("next")]));
    slow.answer.notify_one();
    assert!(first.await.unwrap().is_ok(), "it was good when it came");
    assert!(verifier.authenticate(&headers, &Method::GET).await.is_err());
}
