//! A `Set-Cookie` header, and what a browser does with it (the draft that follows RFC 6265, and its extensions for
//! partitions): whether it keeps the cookie, and which page's script may read it.

use countersign::core::origin::{Origin, PublicUrl};
use countersign::settings::SameSite;

use super::pair::{Pair, Relation};
use crate::site;

/// What a header says of a cookie, but for its value and its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SetCookie {
    pub(super) name: String,
    pub(super) domain: Option<String>,
    pub(super) path: Option<String>,
    /// Chrome takes one that isn't there for `Lax`.
    pub(super) same_site: Option<SameSite>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) partitioned: bool,
}

/// What becomes of a cookie that comes with an answer to the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Kept, and sent with each call.
    Kept,
    /// The same where third-party cookies are allowed.
    ThirdParty,
    /// Neither kept nor sent.
    Dropped(Dropped),
}

/// Why a browser drops a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dropped {
    /// `Strict` or `Lax`, and the page is on another site.
    CrossSite,
    /// `Secure`, from plain http.
    SecureOverHttp,
    /// `SameSite=None` or `Partitioned` without `Secure`.
    NotSecure,
    /// Its name promises, by `__Host-` or `__Secure-`, what its attributes don't keep.
    Prefix,
    /// Its domain is not the API's.
    OtherDomain,
    /// Its domain is a public suffix.
    PublicSuffix,
}

impl SetCookie {
    /// Reads a header. One without a name is none of ours.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';').map(str::trim);
        let (name, _) = parts.next()?.split_once('=')?;
        let mut cookie = Self {
            name: name.to_owned(),
            domain: None,
            path: None,
            same_site: None,
            secure: false,
            http_only: false,
            partitioned: false,
        };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match name.to_ascii_lowercase().as_str() {
                "domain" => cookie.domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
                "path" => cookie.path = Some(value.to_owned()),
                "samesite" => cookie.same_site = same_site(value),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                "partitioned" => cookie.partitioned = true,
                _ => {}
            }
        }
        Some(cookie)
    }

    /// What a browser does with it, in an answer of the API to the page.
    pub(super) fn fate(&self, pair: &Pair<'_>) -> Fate {
        if let Some(dropped) = self.refused_from(&pair.api) {
            return Fate::Dropped(dropped);
        }
        match (pair.relation(), self.same_site) {
            (Relation::SameOrigin | Relation::SameSite, _) => Fate::Kept,
            (Relation::CrossSite(_), Some(SameSite::None)) => Fate::ThirdParty,
            (Relation::CrossSite(_), _) => Fate::Dropped(Dropped::CrossSite),
        }
    }

    /// What is wrong with the cookie, whatever page asks.
    fn refused_from(&self, api: &PublicUrl) -> Option<Dropped> {
        let host = api.host();
        let is_host_bound = self.domain.is_none() && self.path.as_deref() == Some("/");
        let domain = self.domain.as_deref().filter(|domain| *domain != host);
        let needs_secure = self.same_site == Some(SameSite::None) || self.partitioned;
        if self.secure && !api.is_https() {
            Some(Dropped::SecureOverHttp)
        } else if needs_secure && !self.secure {
            Some(Dropped::NotSecure)
        } else if (self.name.starts_with("__Host-") && !(self.secure && is_host_bound))
            || (self.name.starts_with("__Secure-") && !self.secure)
        {
            Some(Dropped::Prefix)
        } else if domain.is_some_and(|domain| !covers(domain, host)) {
            Some(Dropped::OtherDomain)
        } else if domain.is_some_and(site::is_public_suffix) {
            Some(Dropped::PublicSuffix)
        } else {
            None
        }
    }

    /// Whether script of the page finds it in `document.cookie`. Ports don't matter.
    pub(super) fn is_readable_from(&self, page: &Origin, api: &PublicUrl) -> bool {
        let its_host = match &self.domain {
            Some(domain) => page.host() == domain || covers(domain, page.host()),
            None => page.host() == api.host(),
        };
        its_host && !self.http_only && (!self.secure || page.scheme() == "https")
    }
}

/// Whether a host is below a domain.
fn covers(domain: &str, host: &str) -> bool {
    !site::is_address(host) && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn same_site(value: &str) -> Option<SameSite> {
    [SameSite::Strict, SameSite::Lax, SameSite::None]
        .into_iter()
        .find(|mode| mode.as_str().eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::settings;

    #[test]
    fn a_header_is_read_whatever_its_case() {
        let cookie = SetCookie::parse("a=b=c; HTTPONLY; path=/x;domain=.Example.com ; SameSite=none; Secure");
        assert_eq!(
            cookie,
            Some(SetCookie {
                name: "a".into(),
                domain: Some("example.com".into()),
                path: Some("/x".into()),
                same_site: Some(SameSite::None),
                secure: true,
                http_only: true,
                partitioned: false,
            })
        );
        assert_eq!(SetCookie::parse("Secure"), None);
    }

    #[test]
    fn a_cookie_is_kept_or_dropped_as_browsers_do() {
        use super::Dropped::{CrossSite, NotSecure, OtherDomain, Prefix, PublicSuffix, SecureOverHttp};
        use Fate::{Dropped, Kept, ThirdParty};
        let (app, sibling, other) =
            ("https://app.example.com", "https://auth.example.com", "https://app.example.org");
        for (header, page, api, fate) in [
            ("c=; Path=/; SameSite=Lax; Secure", app, app, Kept),
            ("c=; Path=/; SameSite=Strict; Secure", app, sibling, Kept),
            ("c=; Path=/; SameSite=Lax; Secure", other, sibling, Dropped(CrossSite)),
            ("c=; Path=/; SameSite=Strict; Secure", other, sibling, Dropped(CrossSite)),
            ("c=; Path=/; Secure", other, sibling, Dropped(CrossSite)),
            ("c=; Path=/; SameSite=None; Secure", other, sibling, ThirdParty),
            ("c=; Path=/; SameSite=None; Secure; Partitioned", other, sibling, ThirdParty),
            ("c=; Path=/; SameSite=None", app, sibling, Dropped(NotSecure)),
            (
                "c=; Path=/; SameSite=Lax; Secure",
                "http://localhost:1",
                "http://localhost:2",
                Dropped(SecureOverHttp),
            ),
            ("c=; Path=/; SameSite=Lax", "http://localhost:1", "http://localhost:2", Kept),
            ("c=; Path=/; SameSite=Lax", "http://127.0.0.1:1", "http://localhost:2", Dropped(CrossSite)),
            ("__Host-c=; Path=/; Secure", app, sibling, Kept),
            ("__Host-c=; Path=/accounts; Secure", app, sibling, Dropped(Prefix)),
            ("__Host-c=; Path=/; Domain=example.com; Secure", app, sibling, Dropped(Prefix)),
            ("__Host-c=; Path=/", app, sibling, Dropped(Prefix)),
            ("__Secure-c=; Path=/", app, sibling, Dropped(Prefix)),
            ("__Secure-c=; Path=/; Domain=example.com; Secure", app, sibling, Kept),
            ("c=; Domain=other.example.com; Secure", app, sibling, Dropped(OtherDomain)),
            ("c=; Domain=com; Secure", app, sibling, Dropped(PublicSuffix)),
            (
                "c=; Domain=github.io; Secure",
                "https://a.github.io",
                "https://a.github.io",
                Dropped(PublicSuffix),
            ),
        ] {
            let (page, settings) = (Origin::parse(page).unwrap(), settings(api));
            let pair = Pair::new(&page, None, &settings);
            assert_eq!(SetCookie::parse(header).unwrap().fate(&pair), fate, "{header} {page} {api}");
        }
    }

    #[test]
    fn script_reads_the_cookies_of_its_host_and_those_with_a_domain_above_it() {
        let auth = "https://auth.example.com";
        for (header, page, api, readable) in [
            ("c=; Secure", auth, auth, true),
            ("c=; Secure", "https://auth.example.com:8443", auth, true),
            ("c=; HttpOnly", auth, auth, false),
            ("c=; Secure", "https://app.example.com", auth, false),
            ("c=; Secure; Domain=example.com", "https://app.example.com", auth, true),
            ("c=; Secure; Domain=example.com", "https://example.com", auth, true),
            ("c=; Secure; Domain=example.com", "https://badexample.com", auth, false),
            ("c=; Secure", "http://auth.example.com", auth, false),
            ("c=", "http://localhost:3000", "http://localhost:8000", true),
            ("c=", "http://127.0.0.1:3000", "http://localhost:8000", false),
        ] {
            let (page, api) = (Origin::parse(page).unwrap(), PublicUrl::parse(api).unwrap());
            assert_eq!(
                SetCookie::parse(header).unwrap().is_readable_from(&page, &api),
                readable,
                "{header} {page}"
            );
        }
    }
}
