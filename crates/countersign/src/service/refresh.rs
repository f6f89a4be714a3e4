//! Refresh, logout, and the CSRF token after a reload: what a refresh token can do.

use std::fmt;
use std::sync::Arc;

use countersign_core::csrf::CsrfToken;
use countersign_core::jwt::{AccessClaims, RefreshClaims, TokenError};
use countersign_core::secret::sha256;
use countersign_core::session::{Delivery, EndReason, Refusal};
use countersign_core::{Client, Seconds};
use countersign_store::{AuditEvent, EndOutcome, EventKind, Rotate, Rotation};
use countersign_verify::{CsrfFailure, CsrfHeader};

use super::error::Error;
use super::login::too_many_rights;
use super::metrics::RotationResult;
use super::tokens::{SignedIn, Subject};
use super::{Service, audit};

/// The refresh tokens that a request brought, and how. `Debug` shows none.
#[derive(Clone)]
pub enum Presented<'a> {
    /// In cookies: usually one, but an old setting or a sibling site may have left others.
    Cookies(Vec<&'a [u8]>),
    /// In the body.
    Body(&'a str),
}

/// A random name that a client gives its request, to be known again when it repeats it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdempotencyKey([u8; 32]);

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookies(cookies) => write!(f, "Cookies({} of them)", cookies.len()),
            Self::Body(_) => f.write_str("Body(…)"),
        }
    }
}

impl IdempotencyKey {
    /// Takes 22 to 128 printable ASCII characters; keeps only their hash.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let printable = text.iter().all(|byte| (0x20..=0x7e).contains(byte));
        ((22..=128).contains(&text.len()) && printable).then(|| Self(sha256(text)))
    }
}

/// Whether a token's expiry is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Current,
    Any,
}

/// What the CSRF header says of the token that was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Countersigned {
    Yes,
    No(CsrfFailure),
}

impl Service {
    /// Gives the tokens of the session's current generation, and moves it on if it is due.
    ///
    /// The checks come in the contract's order, and none before the last changes anything.
    pub async fn refresh(
        &self,
        presented: &Presented<'_>,
        csrf: CsrfHeader<'_>,
        key: Option<IdempotencyKey>,
        client: &Client,
    ) -> Result<SignedIn, Error> {
        let claims = self.countersigned(presented, csrf, Age::Current)?;
        let csrf_token = self.csrf_token_of(&claims)?;
        let now = self.now();
        let rotate = Rotate {
            session: claims.session,
            user: claims.user,
            generation: claims.generation,
            key: key.map(|key| key.0),
            client: client.clone(),
            wants_rights: self.tokens.room(),
        };
        let rotation = self
            .timed("rotate_session", self.store.rotate_session(rotate, self.settings.rotation_policy(), now))
            .await?;
        let (session, user, rights) = match rotation {
            Rotation::Rotated { session, user, rights } => {
                self.metrics.rotation(RotationResult::Rotated);
                (session, user, rights)
            }
            Rotation::Answered { session, user, rights, .. } => {
                self.metrics.rotation(RotationResult::Answered);
                if client.differs_from(&session.client) {
                    audit::log(&audit::own(EventKind::GraceElsewhere, user.id, client, now));
                }
                (session, user, rights)
            }
            Rotation::TooManyRights => {
                self.metrics.rotation(RotationResult::Refused);
                return Err(too_many_rights(claims.user));
            }
            Rotation::Refused(refusal) => {
                self.metrics.rotation(RotationResult::Refused);
                if refusal == Refusal::Reused {
                    self.metrics.theft();
                    audit::log_theft(&claims, client, now);
                    self.catch_up().await;
                }
                return Err(refusal.into());
            }
        };
        Ok(self.tokens.issue(session, Subject { user, rights }, csrf_token, &*self.random, now)?)
    }

    /// The CSRF token of the live session whose refresh cookie came along, of whatever generation, and how long its
    /// cookie lives.
    pub async fn csrf(
        &self,
        presented: &Presented<'_>,
        csrf: CsrfHeader<'_>,
    ) -> Result<(CsrfToken, Option<Seconds>), Error> {
        let (claims, _) = self.choose(presented, csrf, Age::Current)?;
        let now = self.now();
        let Some((session, _)) = self.timed("session", self.store.session(claims.session)).await? else {
            return Err(Error::RefreshTokenInvalid);
        };
        if session.user != claims.user {
            return Err(Error::RefreshTokenInvalid);
        }
        session.liveness(self.settings.leeway, now)?;
        let token = self.csrf_token_of(&claims)?.ok_or(Error::RefreshTokenInvalid)?;
        Ok((token, self.tokens.cookie_life(&session, now)))
    }

    /// Ends the sessions that the request names: by a refresh token of whatever generation and age, and by an access
    /// token. Naming none, or one that is dead already, is no error.
    ///
    /// An access token that the CSRF header doesn't countersign names none where a refresh token does: a tab that slept
    /// over a new login may hold one, and still logs out.
    pub async fn logout(
        &self,
        presented: &Presented<'_>,
        csrf: CsrfHeader<'_>,
        access: Option<Result<Arc<AccessClaims>, CsrfFailure>>,
        client: &Client,
    ) -> Result<(), Error> {
        let by_refresh = match self.countersigned(presented, csrf, Age::Any) {
            Ok(claims) => Some((claims.session, claims.user)),
            Err(Error::CsrfFailed(failure)) => return Err(Error::CsrfFailed(failure)),
            Err(_) => None,
        };
        let by_access = match access {
            Some(Ok(claims)) => Some((claims.session, claims.user)),
            Some(Err(failure)) if by_refresh.is_none() => return Err(Error::CsrfFailed(failure)),
            Some(Err(_)) | None => None,
        };
        for (session, user) in
            by_refresh.into_iter().chain(by_access.filter(|named| by_refresh != Some(*named)))
        {
            let event = AuditEvent {
                actor: Some(user),
                user: Some(user),
                session: Some(session),
                ip: client.ip,
                detail: audit::reason(EndReason::Logout),
                ..AuditEvent::new(EventKind::SessionEnded, self.now())
            };
            let logged = event.clone();
            let outcome = self
                .timed("end_session", self.store.end_session(session, Some(user), EndReason::Logout, event))
                .await?;
            if let EndOutcome::Ended(_) = outcome {
                audit::log(&logged);
                self.catch_up().await;
            }
        }
        Ok(())
    }

    /// The claims of the one token that counts, if the CSRF header countersigns it.
    fn countersigned(
        &self,
        presented: &Presented<'_>,
        csrf: CsrfHeader<'_>,
        age: Age,
    ) -> Result<RefreshClaims, Error> {
        match self.choose(presented, csrf, age)? {
            (claims, Countersigned::Yes) => Ok(claims),
            (_, Countersigned::No(failure)) => Err(Error::CsrfFailed(failure)),
        }
    }

    /// Which of the tokens counts. Of several cookies, those that the CSRF header countersigns; of one session, the
    /// highest generation; and where no header decides between two sessions, there is no token.
    fn choose(
        &self,
        presented: &Presented<'_>,
        csrf: CsrfHeader<'_>,
        age: Age,
    ) -> Result<(RefreshClaims, Countersigned), Error> {
        let cookies = match presented {
            Presented::Body(token) => {
                let claims = self.verify(token.as_bytes(), Delivery::Body, age)?;
                return Ok((claims, Countersigned::Yes));
            }
            Presented::Cookies(cookies) => cookies,
        };
        if cookies.is_empty() {
            return Err(Error::NotAuthenticated);
        }
        let mut failure = Error::RefreshTokenInvalid;
        let mut verified = Vec::with_capacity(cookies.len());
        for token in cookies {
            match self.verify(token, Delivery::Cookie, age) {
                Ok(claims) => verified.push(claims),
                Err(Error::RefreshTokenExpired) => failure = Error::RefreshTokenExpired,
                Err(_) => {}
            }
        }
        let newest =
            |candidates: Vec<RefreshClaims>| candidates.into_iter().max_by_key(|claims| claims.generation);
        let (signed, unsigned): (Vec<_>, Vec<_>) =
            verified.into_iter().partition(|claims| claims.csh.is_some_and(|csh| csrf.check(csh).is_ok()));
        if let Some(claims) = newest(signed) {
            return Ok((claims, Countersigned::Yes));
        }
        let Some(first) = unsigned.first().map(|claims| claims.session) else { return Err(failure) };
        if unsigned.iter().any(|claims| claims.session != first) {
            return Err(Error::NotAuthenticated);
        }
        let claims = newest(unsigned).ok_or(failure)?;
        Ok((claims, Countersigned::No(csrf.failure())))
    }

    /// A cookie's token is not taken from a body, nor the other way round: only the former carries a `csh`.
    fn verify(&self, token: &[u8], delivery: Delivery, age: Age) -> Result<RefreshClaims, Error> {
        let verifier = &self.tokens.refresh_verifier;
        let verified = match age {
            Age::Current => verifier.verify(token, self.now()),
            Age::Any => verifier.verify_any_age(token, self.now()),
        };
        let claims = match verified {
            Ok(claims) => claims,
            Err(TokenError::Expired) => return Err(Error::RefreshTokenExpired),
            Err(TokenError::Invalid(_)) => return Err(Error::RefreshTokenInvalid),
        };
        if claims.csh.is_some() == (delivery == Delivery::Cookie) {
            Ok(claims)
        } else {
            Err(Error::RefreshTokenInvalid)
        }
    }

    fn csrf_token_of(&self, claims: &RefreshClaims) -> Result<Option<CsrfToken>, Error> {
        let Some(csh) = claims.csh else { return Ok(None) };
        // None of our roots made it: its root was dropped from the fallbacks, and the session with it.
        let token = self.tokens.csrf_of(claims.session, csh).ok_or(Error::RefreshTokenInvalid)?;
        Ok(Some(token))
    }
}
