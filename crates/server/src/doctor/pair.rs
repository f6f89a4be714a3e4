//! The page and the API, and how they stand to each other.

use countersign::core::origin::{Origin, OriginPolicy, PublicUrl};
use countersign::settings::Settings;
use url::Url;

use crate::site;

/// Where an API is asked: an origin, and a path in front of its routes where a proxy has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Api {
    pub(super) origin: PublicUrl,
    /// Without a final slash.
    base: String,
}

/// A page, the API that it calls, and the settings of that API.
pub(super) struct Pair<'a> {
    pub(super) page: &'a Origin,
    /// Where browsers find the API.
    pub(super) api: PublicUrl,
    /// Where the running server is asked from here.
    pub(super) asked: Api,
    pub(super) settings: &'a Settings,
}

/// How a browser sees a page and the API that it calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Relation {
    SameOrigin,
    SameSite,
    CrossSite(Apart),
}

/// Why two origins are on two sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Apart {
    /// One is `http`, the other `https`.
    Scheme,
    /// Both are this machine, by two of its names.
    Loopback,
    /// Both are customers of one public suffix.
    Suffix,
    /// The page is an app's, with a scheme of its own.
    Shell,
    /// They have nothing in common.
    Domain,
}

impl Api {
    /// Reads `--api`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let how = "write it like https://auth.example.com or http://localhost:8000";
        let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL ({error}); {how}"))?;
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let origin = PublicUrl::parse(&url.origin().ascii_serialization());
        match origin {
            Ok(origin) if bare => Ok(Self { origin, base: url.path().trim_end_matches('/').to_owned() }),
            _ => Err(format!("{text:?} is not the address of an API; {how}")),
        }
    }

    /// The API at its origin.
    pub(super) fn at(origin: PublicUrl) -> Self {
        Self { origin, base: String::new() }
    }

    /// The URL of a route.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base)
    }
}

impl<'a> Pair<'a> {
    /// The page calls the API where it is asked; or at its public URL, where it is asked past the proxy that ends TLS.
    pub(super) fn new(page: &'a Origin, asked: Option<Api>, settings: &'a Settings) -> Self {
        let asked = asked.unwrap_or_else(|| Api::at(settings.public_url.clone()));
        let api = if is_past_the_proxy(&asked, settings) { &settings.public_url } else { &asked.origin };
        Self { page, api: api.clone(), asked, settings }
    }

    pub(super) fn relation(&self) -> Relation {
        let (page, api) = (self.page, self.api.origin());
        if page == api {
            return Relation::SameOrigin;
        }
        if site::is_same_site(page, api) {
            return Relation::SameSite;
        }
        let suffix = site::shared_suffix(page.host());
        Relation::CrossSite(if self.is_shell() {
            Apart::Shell
        } else if site::domain(page.host()) == site::domain(api.host()) {
            Apart::Scheme
        } else if is_loopback(page) && self.api.is_loopback() {
            Apart::Loopback
        } else if suffix.is_some() && suffix == site::shared_suffix(api.host()) {
            Apart::Suffix
        } else {
            Apart::Domain
        })
    }

    /// Whether the page is that of an app around a browser, such as `capacitor://localhost`.
    pub(super) fn is_shell(&self) -> bool {
        !matches!(self.page.scheme(), "http" | "https")
    }

    /// Whether the server takes requests from the page. Browsers send its origin with every unsafe request, also to
    /// the page's own.
    pub(super) fn is_listed(&self) -> bool {
        let Settings { public_url, allowed_origins, native_origins, .. } = self.settings;
        let policy = OriginPolicy::new(public_url, allowed_origins.clone(), native_origins.clone());
        policy.is_allowed(self.page.as_str().as_bytes())
    }

    pub(super) fn is_past_the_proxy(&self) -> bool {
        is_past_the_proxy(&self.asked, self.settings)
    }
}

/// Whether the server is asked by plain http, though browsers are to reach it by https: then a proxy is passed by.
fn is_past_the_proxy(asked: &Api, settings: &Settings) -> bool {
    settings.public_url.is_https() && !asked.origin.is_https()
}

/// Whether an origin is this very machine's.
pub(super) fn is_loopback(origin: &Origin) -> bool {
    PublicUrl::parse(origin.as_str()).is_ok_and(|url| url.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::settings;

    #[test]
    fn the_address_of_an_api_is_an_origin_and_perhaps_a_path() {
        for (text, profile) in [
            ("https://auth.example.com", "https://auth.example.com/p"),
            ("HTTPS://Auth.Example.com:443/", "https://auth.example.com/p"),
            ("http://localhost:3000/api/", "http://localhost:3000/api/p"),
            ("http://[::1]:8000", "http://[::1]:8000/p"),
        ] {
            assert_eq!(Api::parse(text).unwrap().url("/p"), profile);
        }
        for text in
            ["", "auth.example.com", "localhost:8000", "ftp://x", "https://x/?a", "https://u@x", "file:///x"]
        {
            assert!(Api::parse(text).unwrap_err().contains("write it like"), "{text}");
        }
    }

    #[test]
    fn the_relation_is_the_browsers() {
        use Apart::{Domain, Loopback, Scheme, Shell, Suffix};
        use Relation::{CrossSite, SameOrigin, SameSite};
        for (page, api, relation) in [
            ("https://example.com", "https://example.com", SameOrigin),
            ("https://app.example.com", "https://auth.example.com", SameSite),
            ("http://localhost:3000", "http://localhost:8000", SameSite),
            ("http://app.example.com", "https://auth.example.com", CrossSite(Scheme)),
            ("https://localhost:3000", "http://localhost:8000", CrossSite(Scheme)),
            ("http://127.0.0.1:3000", "http://localhost:8000", CrossSite(Loopback)),
            ("http://app.localhost:3000", "http://localhost:8000", CrossSite(Loopback)),
            ("https://ana.github.io", "https://ben.github.io", CrossSite(Suffix)),
            ("capacitor://localhost", "https://auth.example.com", CrossSite(Shell)),
            ("https://app.example.org", "https://auth.example.com", CrossSite(Domain)),
            ("https://192.168.0.7", "https://auth.example.com", CrossSite(Domain)),
        ] {
            let (page, settings) = (Origin::parse(page).unwrap(), settings(api));
            assert_eq!(Pair::new(&page, None, &settings).relation(), relation, "{page} {api}");
        }
    }

    #[test]
    fn plain_http_to_a_server_of_https_passes_the_proxy_by() {
        let page = Origin::parse("https://app.example.com").unwrap();
        let settings = settings("https://auth.example.com");
        for (asked, api) in [
            (None, "https://auth.example.com"),
            (Some("http://127.0.0.1:8000"), "https://auth.example.com"),
            (Some("https://other.example.com"), "https://other.example.com"),
        ] {
            let pair = Pair::new(&page, asked.map(|asked| Api::parse(asked).unwrap()), &settings);
            assert_eq!(pair.api.as_str(), api);
            assert_eq!(pair.asked.origin.as_str(), asked.unwrap_or(api));
        }
    }
}
