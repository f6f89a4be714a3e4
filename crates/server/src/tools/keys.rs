//! `countersign keys`: the keys that sign access tokens.

use countersign::service::Service;
use countersign::service::keys::PUBLISHED_BEFORE;

use super::columns;
use crate::outcome::{Failure, say};

/// Lists the keys, oldest first.
pub(crate) async fn list(service: &Service) -> Result<(), Failure> {
    let listed = service.list_keys().await?;
    if listed.is_empty() {
        say("There are no stored keys: with HS256, secret_key signs.");
        return Ok(());
    }
    let mut rows = vec![["KEY", "ALGORITHM", "STATE", "SIGNS FROM"].map(str::to_owned).to_vec()];
    rows.extend(listed.into_iter().map(|listed| {
        let key = listed.key;
        vec![key.kid, key.algorithm, listed.state.as_str().to_owned(), key.signs_from.to_string()]
    }));
    say(&columns(&rows));
    Ok(())
}

/// Makes a new key.
pub(crate) async fn rotate(service: &Service, now: bool) -> Result<(), Failure> {
    let key = service.rotate_keys(now).await?;
    let (kid, from) = (key.kid, key.signs_from);
    if now {
        say(&format!(
            "The key {kid} signs from now on. A server that keeps the key set refuses its tokens until it looks again."
        ));
    } else {
        let minutes = PUBLISHED_BEFORE.0 / 60;
        say(&format!("The key {kid} is published now, and signs in {minutes} minutes, from {from} on."));
    }
    say(
        "The one before stays published until its last token has died; then `countersign keys prune` removes it.",
    );
    Ok(())
}

/// Removes dead keys, or those that are named.
pub(crate) async fn prune(service: &Service, named: &[String]) -> Result<(), Failure> {
    let removed = service.prune_keys(named).await?;
    if removed.is_empty() {
        say("No key is dead, so none was removed.");
    }
    for kid in removed {
        say(&format!("The key {kid} was removed."));
    }
    Ok(())
}

/// Encrypts the stored keys under the current root secret.
pub(crate) async fn rewrap(service: &Service) -> Result<(), Failure> {
    match service.rewrap_keys().await? {
        0 => say("All stored keys are encrypted under root_secret already: root_secret_fallbacks can go."),
        1 => say(
            "1 stored key is encrypted under root_secret now: root_secret_fallbacks can go once every server has the \
             new root_secret.",
        ),
        count => say(&format!(
            "{count} stored keys are encrypted under root_secret now: root_secret_fallbacks can go once every server \
             has the new root_secret."
        )),
    }
    Ok(())
}
