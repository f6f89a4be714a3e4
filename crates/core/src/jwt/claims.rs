//! The claims of both tokens: what they say, how it is written, how it is read.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Reason;
use crate::csrf::Csh;
use crate::id::{Generation, SessionId, UserId};
use crate::json::{Known, Member};

/// What an access token says. Times are NumericDates: whole seconds since 1970.
#[derive(Clone, PartialEq, Debug)]
pub struct AccessClaims {
    /// `iss`: who made the token.
    pub issuer: Arc<str>,
    /// `aud`: for whom. In a token of several audiences, the one that we are.
    pub audience: Arc<str>,
    /// `sub`, and the same as a number in `user_id`.
    pub user: UserId,
    /// `sid`.
    pub session: SessionId,
    /// `jti`. We write one always; a verifier doesn't need it.
    pub jti: Option<String>,
    /// `iat`.
    pub issued_at: i64,
    /// `exp`: the token is expired from this second on.
    pub expires_at: i64,
    /// `auth_time`: when the user gave a password. We write it always; a verifier doesn't need it.
    pub auth_time: Option<i64>,
    /// `csh`: which CSRF token countersigns this one. A body-delivered session has none.
    pub csh: Option<Csh>,
    /// Every other claim, such as `groups` and `permissions`. It can't replace one of the above.
    pub extra: Map<String, Value>,
}

/// What a refresh token says. Times are NumericDates: whole seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshClaims {
    /// `sub`.
    pub user: UserId,
    /// `sid`.
    pub session: SessionId,
    /// `gen`: which generation of the session this is. Required: without it there is nothing to judge.
    pub generation: Generation,
    /// `iat`.
    pub issued_at: i64,
    /// `exp`: the token is expired from this second on.
    pub expires_at: i64,
    /// `csh`: which CSRF token countersigns this one. A body-delivered session has none.
    pub csh: Option<Csh>,
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// What the claims say of the user's rights, where the issuer's `claims_include` puts them there. They are as old as the
/// token: rights that changed count at the next refresh. What isn't in the form that we write, gives nothing.
impl AccessClaims {
    /// Whether the user has this permission. A superuser has all.
    pub fn allows(&self, permission: &(impl AsRef<str> + ?Sized)) -> bool {
        self.is_superuser() || self.lists("permissions", permission.as_ref())
    }

    /// Whether the user is in this group.
    pub fn in_group(&self, group: &str) -> bool {
        self.lists("groups", group)
    }

    /// Whether the user may enter the admin site.
    pub fn is_staff(&self) -> bool {
        self.extra.get("is_staff") == Some(&Value::Bool(true))
    }

    /// Whether the user has every permission.
    pub fn is_superuser(&self) -> bool {
        self.extra.get("is_superuser") == Some(&Value::Bool(true))
    }

    fn lists(&self, claim: &str, name: &str) -> bool {
        let names = self.extra.get(claim).and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|listed| listed.as_str() == Some(name)))
    }
}

impl AccessClaims {
    pub(super) fn write(&self) -> Map<String, Value> {
        let mut claims = Written(self.extra.clone());
        claims.put("token_type", Some(ACCESS));
        claims.put("iss", Some(&*self.issuer));
        claims.put("aud", Some(&*self.audience));
        claims.put("sub", Some(self.user.to_string()));
        claims.put("user_id", Some(self.user.0));
        claims.put("sid", Some(self.session.to_string()));
        claims.put("jti", self.jti.as_deref());
        claims.put("iat", Some(self.issued_at));
        claims.put("exp", Some(self.expires_at));
        claims.put("auth_time", self.auth_time);
        claims.put("csh", self.csh.map(|csh| csh.to_string()));
        claims.0
    }

    /// `latest` is the last second that `iat` and `nbf` may name.
    pub(super) fn read(
        mut claims: Claims<'_>,
        (issuer, audience): (&Arc<str>, &Arc<str>),
        latest: i64,
    ) -> Result<Self, Reason> {
        let common = claims.common(ACCESS, issuer, latest)?;
        claims.audience(audience)?;
        if claims.integer("user_id")? != Some(common.user.0) {
            return Err(Reason::Claim("user_id"));
        }
        Ok(Self {
            issuer: Arc::clone(issuer),
            audience: Arc::clone(audience),
            user: common.user,
            session: common.session,
            jti: claims.text("jti")?.map(Cow::into_owned),
            issued_at: common.issued_at,
            expires_at: common.expires_at,
            auth_time: claims.date("auth_time")?,
            csh: common.csh,
            extra: claims.0.rest(),
        })
    }
}

impl RefreshClaims {
    pub(super) fn write(&self, issuer: &str) -> Map<String, Value> {
        let mut claims = Written(Map::new());
        claims.put("token_type", Some(REFRESH));
        claims.put("iss", Some(issuer));
        claims.put("sub", Some(self.user.to_string()));
        claims.put("sid", Some(self.session.to_string()));
        claims.put("gen", Some(self.generation.0));
        claims.put("iat", Some(self.issued_at));
        claims.put("exp", Some(self.expires_at));
        claims.put("csh", self.csh.map(|csh| csh.to_string()));
        claims.0
    }

    /// `latest` is the last second that `iat` and `nbf` may name.
    pub(super) fn read(mut claims: Claims<'_>, issuer: &str, latest: i64) -> Result<Self, Reason> {
        let common = claims.common(REFRESH, issuer, latest)?;
        let generation = claims.integer("gen")?.filter(|&number| number >= Generation::FIRST.0);
        Ok(Self {
            user: common.user,
            session: common.session,
            generation: Generation(generation.ok_or(Reason::Claim("gen"))?),
            issued_at: common.issued_at,
            expires_at: common.expires_at,
            csh: common.csh,
        })
    }
}

/// What both tokens say.
struct Common {
    user: UserId,
    session: SessionId,
    issued_at: i64,
    expires_at: i64,
    csh: Option<Csh>,
}

/// Claims that are being written.
struct Written(Map<String, Value>);

impl Written {
    /// Writes a claim; without a value, there is no such claim, whatever stood there.
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        match value {
            Some(value) => self.0.insert(name.to_owned(), value.into()),
            None => self.0.remove(name),
        };
    }
}

/// Claims that are being read: each is taken out. One of a wrong type is never taken for an absent one.
pub(super) struct Claims<'a>(Known<'a, 13>);

impl<'a> Claims<'a> {
    /// All that are read by name here.
    pub(super) const NAMES: &'static [&'static str; 13] = &[
        "aud",
        "auth_time",
        "csh",
        "exp",
        "gen",
        "iat",
        "iss",
        "jti",
        "nbf",
        "sid",
        "sub",
        "token_type",
        "user_id",
    ];

    pub(super) fn new(claims: Known<'a, 13>) -> Self {
        Self(claims)
    }

    fn common(&mut self, token_type: &str, issuer: &str, latest: i64) -> Result<Common, Reason> {
        self.equal("token_type", token_type)?;
        self.equal("iss", issuer)?;
        let issued_at = self.date("iat")?.ok_or(Reason::Claim("iat"))?;
        let not_before = self.date("nbf")?.unwrap_or(issued_at);
        if issued_at.max(not_before) > latest {
            return Err(Reason::NotYetValid);
        }
        Ok(Common {
            user: self.user()?,
            session: self.session()?,
            issued_at,
            expires_at: self.date("exp")?.ok_or(Reason::Claim("exp"))?,
            csh: self.csh()?,
        })
    }

    /// `sub`: the canonical decimal form of a positive number, so that one user has one name.
    fn user(&mut self) -> Result<UserId, Reason> {
        let sub = self.text("sub")?.filter(|sub| sub.starts_with(|first| matches!(first, '1'..='9')));
        let id = sub.and_then(|sub| sub.parse().ok());
        id.map(UserId).ok_or(Reason::Claim("sub"))
    }

    fn session(&mut self) -> Result<SessionId, Reason> {
        let sid = self.text("sid")?;
        sid.and_then(|sid| sid.parse().ok()).ok_or(Reason::Claim("sid"))
    }

    fn csh(&mut self) -> Result<Option<Csh>, Reason> {
        self.text("csh")?.map(|csh| Csh::parse(&csh).ok_or(Reason::Claim("csh"))).transpose()
    }

    /// `aud` is ours, or a list of strings with ours among them.
    fn audience(&mut self, ours: &str) -> Result<(), Reason> {
        let fits = match self.0.take("aud") {
            Some(Member::Text(audience)) => audience == ours,
            Some(Member::Other(Value::Array(audiences))) => {
                audiences.iter().all(Value::is_string) && audiences.iter().any(|audience| audience == ours)
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(Reason::Claim("aud")) }
    }

    fn equal(&mut self, name: &'static str, expected: &str) -> Result<(), Reason> {
        let fits = self.text(name)?.is_some_and(|text| text == expected);
        if fits { Ok(()) } else { Err(Reason::Claim(name)) }
    }

    fn text(&mut self, name: &'static str) -> Result<Option<Cow<'a, str>>, Reason> {
        match self.0.take(name) {
            None => Ok(None),
            Some(Member::Text(text)) => Ok(Some(text)),
            Some(Member::Other(_)) => Err(Reason::Claim(name)),
        }
    }

    /// A JSON integer: `1.0` and `1e3` are none.
    fn integer(&mut self, name: &'static str) -> Result<Option<i64>, Reason> {
        match self.0.take(name) {
            None => Ok(None),
            Some(Member::Other(value)) => value.as_i64().map(Some).ok_or(Reason::Claim(name)),
            Some(Member::Text(_)) => Err(Reason::Claim(name)),
        }
    }

    /// A NumericDate of whole seconds, not before 1970.
    fn date(&mut self, name: &'static str) -> Result<Option<i64>, Reason> {
        match self.integer(name)? {
            Some(..0) => Err(Reason::Claim(name)),
            date => Ok(date),
        }
    }
}
