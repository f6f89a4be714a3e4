//! The signing keys of a running server: loaded, followed, and (by the command line) rotated.

use countersign_core::jwt::Algorithm;
use countersign_core::{Seconds, Timestamp};
use countersign_store::{AuditEvent, EventKind, Store, StoreError, StoredKey};
use serde_json::{Map, Value};

use super::derive::Derived;
use super::keys::{self, KeyRing, KeyState, PUBLISHED_BEFORE};
use super::people::Actor;
use super::{Environment, Error, Service, audit};
use crate::settings::Settings;

/// The longest access lifetime that any node of this store ever issued, in seconds.
const LONGEST_ACCESS_LIFETIME: &str = "longest_access_lifetime";

/// A key, as `countersign keys list` shows it.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// The key.
    pub key: StoredKey,
    /// What it does now.
    pub state: KeyState,
}

/// How long a session's end, or a key's, must be remembered for the sake of its last access token: the longest access
/// lifetime that any node ever issued, raised to this server's own, and the leeway on both sides.
pub(super) async fn afterlife(
    settings: &Settings,
    store: &Store,
    serves: bool,
) -> Result<Seconds, StoreError> {
    let own = if serves { settings.access_token_lifetime } else { Seconds(0) };
    let stored = store.meta(LONGEST_ACCESS_LIFETIME).await?;
    let stored = stored.and_then(|text| text.parse().ok()).map_or(Seconds(0), Seconds);
    let longest =
        if own > stored { Seconds(store.raise_meta(LONGEST_ACCESS_LIFETIME, own.0).await?) } else { stored };
    Ok(Seconds(longest.0.saturating_add(2 * settings.leeway.0)))
}

/// The keys that a server starts with. Makes the first one, and a successor where the algorithm was changed: it is
/// published for as long as any new key before it signs.
pub(super) async fn load_ring(
    settings: &Settings,
    store: &Store,
    roots: &[Derived],
    outlives: Seconds,
    environment: &Environment,
) -> Result<KeyRing, Error> {
    let secret = settings.secrets.access.as_ref();
    if let (Algorithm::Hs256, Some(secret)) = (settings.access_algorithm, secret) {
        return Ok(KeyRing::of_secret(secret)?);
    }
    let now = environment.clock.now();
    let mut stored = store.keys().await?;
    let wanted = settings.access_algorithm.as_str();
    let signs_from = match stored.iter().max_by_key(|key| key.signs_from) {
        None => Some(now),
        Some(newest) if newest.algorithm != wanted => Some(now + PUBLISHED_BEFORE),
        Some(_) => None,
    };
    if let (Some(signs_from), Some(root)) = (signs_from, roots.first()) {
        let key = keys::make(settings.access_algorithm, root, &*environment.random, now, signs_from)?;
        let (kid, event) = (key.kid.clone(), made(&key, now));
        stored = store.ensure_key(key, event.clone()).await?;
        if stored.iter().any(|key| key.kid == kid) {
            audit::log(&event);
        }
    }
    Ok(KeyRing::of_stored(&stored, roots, outlives, now)?)
}

impl Service {
    /// What [`afterlife`] is by now. It is asked for right before something is forgotten: a node that issues longer-lived
    /// tokens has written so down before the first of them.
    pub(super) async fn afterlife(&self) -> Result<Seconds, StoreError> {
        afterlife(&self.settings, &self.store, self.serves).await
    }

    /// Takes in the keys that now stand in the store, where the news or time alone have changed them. What fails is
    /// tried again at the next news; until then the known keys go on.
    pub(super) async fn follow_keys(&self) {
        let heard = self.liveness.key_changes();
        let overdue = || self.tokens.ring().changes_at.is_some_and(|at| at <= self.now());
        let mut known = self.keys_known.lock().await;
        if *known >= heard && !overdue() {
            return;
        }
        match self.reload_keys().await {
            Ok(()) => *known = heard.max(*known),
            Err(error) => {
                tracing::error!(%error, "the signing keys could not be reloaded; the known ones stay in use");
            }
        }
    }

    async fn reload_keys(&self) -> Result<(), Error> {
        if !self.serves || self.settings.access_algorithm == Algorithm::Hs256 {
            return Ok(());
        }
        let stored = self.store.keys().await?;
        let ring = KeyRing::of_stored(&stored, &self.roots, self.afterlife().await?, self.now())?;
        self.verifier.replace_keys(ring.verifying.clone());
        self.tokens.set_ring(ring);
        Ok(())
    }

    /// The public keys, as `GET /.well-known/jwks.json` publishes them; none with `HS256`.
    pub fn public_keys(&self) -> Value {
        self.tokens.ring().verifying.to_jwks()
    }

    /// All stored keys and their states, oldest first.
    pub async fn list_keys(&self) -> Result<Vec<ListedKey>, Error> {
        let stored = self.store.keys().await?;
        let states = keys::states(&stored, self.afterlife().await?, self.now());
        Ok(stored.into_iter().zip(states).map(|(key, state)| ListedKey { key, state }).collect())
    }

    /// Makes a new signing key. It is published at once and signs after [`PUBLISHED_BEFORE`]; with `at_once` it signs
    /// from now on, and verifiers with a cached key set refuse its tokens until they look again.
    pub async fn rotate_keys(&self, at_once: bool) -> Result<StoredKey, Error> {
        self.rotate_keys_as(&Actor::Operator, at_once).await
    }

    pub(super) async fn rotate_keys_as(&self, actor: &Actor, at_once: bool) -> Result<StoredKey, Error> {
        if self.settings.access_algorithm == Algorithm::Hs256 {
            return Err(Error::field(
                "access_algorithm",
                "HS256 signs with secret_key: change that, and put the old one into secret_key_fallbacks",
            ));
        }
        let now = self.now();
        let signs_from = if at_once { now } else { now + PUBLISHED_BEFORE };
        let root = self.roots.first().ok_or(Error::NotFound)?;
        // A key sealed under a root that the servers don't have would be of no use to them.
        KeyRing::of_stored(&self.store.keys().await?, &self.roots, self.afterlife().await?, now)?;
        let key = keys::make(self.settings.access_algorithm, root, &*self.random, now, signs_from)?;
        let event = AuditEvent { detail: made(&key, now).detail, ..actor.event(EventKind::KeyCreated, now) };
        self.store.add_key(key.clone(), event.clone()).await?;
        audit::log(&event);
        self.catch_up().await;
        Ok(key)
    }

    /// Removes the keys whose last token has died, or the named ones whatever their state (a key that leaked: its
    /// tokens stop being good). The active key stays, unless it is named and a later one can take over.
    pub async fn prune_keys(&self, named: &[String]) -> Result<Vec<String>, Error> {
        self.prune_keys_as(&Actor::Operator, named).await
    }

    pub(super) async fn prune_keys_as(&self, actor: &Actor, named: &[String]) -> Result<Vec<String>, Error> {
        let listed = self.list_keys().await?;
        let goes = |listed: &ListedKey| match named {
            [] => listed.state == KeyState::Dead,
            _ => named.contains(&listed.key.kid),
        };
        if let Some(unknown) = named.iter().find(|kid| !listed.iter().any(|listed| listed.key.kid == **kid)) {
            return Err(Error::field(
                "kid",
                format!("there is no key {unknown}; see `countersign keys list`"),
            ));
        }
        let active = |listed: &&ListedKey| listed.state == KeyState::Active;
        if listed.iter().filter(active).all(goes) && !listed.is_empty() {
            return Err(Error::field(
                "kid",
                "the active key signs every token: `countersign keys rotate --now` first",
            ));
        }
        let kids: Vec<String> =
            listed.iter().filter(|listed| goes(listed)).map(|listed| listed.key.kid.clone()).collect();
        if !kids.is_empty() {
            let event = AuditEvent {
                detail: Map::from_iter([("kids".to_owned(), Value::from(kids.clone()))]),
                ..actor.event(EventKind::KeysRemoved, self.now())
            };
            self.store.remove_keys(kids.clone(), event.clone()).await?;
            audit::log(&event);
            self.catch_up().await;
        }
        Ok(kids)
    }

    /// Seals under the current `root_secret` what is sealed under a fallback; how many keys.
    pub async fn rewrap_keys(&self) -> Result<usize, Error> {
        let stored = self.store.keys().await?;
        let sealed = keys::rewrap(&stored, &self.roots, &*self.random)?;
        let count = sealed.len();
        if count > 0 {
            let event = AuditEvent {
                detail: Map::from_iter([("keys".to_owned(), Value::from(count))]),
                ..AuditEvent::new(EventKind::KeysResealed, self.now())
            };
            self.store.reseal_keys(sealed, event.clone()).await?;
            audit::log(&event);
        }
        Ok(count)
    }
}

fn made(key: &StoredKey, now: Timestamp) -> AuditEvent {
    let detail = [
        ("kid".to_owned(), Value::from(key.kid.clone())),
        ("algorithm".to_owned(), Value::from(key.algorithm.clone())),
        ("signs_from".to_owned(), Value::from(key.signs_from.to_string())),
    ];
    AuditEvent { detail: Map::from_iter(detail), ..AuditEvent::new(EventKind::KeyCreated, now) }
}
