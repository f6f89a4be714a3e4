//! What a browser does with a page, an API and its settings: rules alone, without a server.

use super::cookies::{self, allowed_origins};
use super::finding::{Finding, Line, Remedy};
use super::pair::{Apart, Pair, Relation, is_loopback};
use crate::site;

/// All that can be told without asking a server.
pub(super) fn findings(pair: &Pair<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if pair.is_shell() {
        found.push(shell(pair));
    } else {
        found.push(relation(pair));
        found.extend(page_transport(pair));
        if pair.is_listed() || !cookies::want_another_page(pair) {
            found.push(listed(pair));
        }
        found.extend(cookies::findings(pair));
    }
    found.extend(public_url(pair));
    found.extend(trusted_proxies(pair));
    if !pair.is_shell() {
        found.push(client(pair));
    }
    found
}

/// The page of an app around a browser: it needs no cookies.
fn shell(pair: &Pair<'_>) -> Finding {
    let page = pair.page;
    if pair.settings.native_origins.contains(page) {
        return Finding::fine(
            "origin",
            format!(
                "{page} is an app's own page and in native_origins: let it log in with token_delivery: \"body\", keep \
                 the refresh token in the system's secure storage, and forget about cookies."
            ),
        );
    }
    let listed = pair.settings.native_origins.iter().chain([page]);
    Finding::problem(
        "origin",
        format!("{page} is an app's own page, on another site than any API, and isn't in native_origins."),
        Remedy::set(
            "So that the app may have its refresh token in the body, where no cookie is needed:",
            [Line::list("native_origins", listed)],
        ),
    )
}

fn relation(pair: &Pair<'_>) -> Finding {
    let (page, api) = (pair.page, &pair.api);
    let says = match pair.relation() {
        Relation::SameOrigin => {
            let says = format!(
                "Same origin: to the browser the page and the API are one ({page}); no CORS, no preflight."
            );
            return Finding::fine("relation", says);
        }
        Relation::SameSite => {
            let says = format!(
                "Same site ({}), two origins: cookies come along, and CORS decides what the page may send and read.",
                site::domain(page.host())
            );
            return Finding::fine("relation", says);
        }
        Relation::CrossSite(Apart::Scheme) => format!(
            "Cross-site: {page} and {api} have two schemes, which Chrome and Edge take for two sites (Firefox and Safari \
             don't)."
        ),
        Relation::CrossSite(Apart::Loopback) => format!(
            "Cross-site: {} and {} are the same machine to you, and two sites to a browser.",
            page.host(),
            api.host()
        ),
        Relation::CrossSite(Apart::Suffix) => format!(
            "Cross-site: {} is a public suffix, so {} and {} are strangers to each other.",
            site::shared_suffix(page.host()).unwrap_or_default(),
            page.host(),
            api.host()
        ),
        Relation::CrossSite(Apart::Shell | Apart::Domain) => format!(
            "Cross-site: {} and {} are two sites, and third-party rules hold for the API's cookies.",
            site::domain(page.host()),
            site::domain(api.host())
        ),
    };
    Finding::note("relation", says)
}

/// What browsers refuse, or do by halves, because of how the page itself came.
fn page_transport(pair: &Pair<'_>) -> Vec<Finding> {
    let (page, api) = (pair.page, &pair.api);
    let mut found = Vec::new();
    if page.scheme() == "https" && !api.is_https() && !api.is_loopback() {
        found.push(Finding::problem(
            "mixed-content",
            format!("A page of https may not call {api}, which is plain http: the browser blocks it unsent."),
            Remedy::set("Let a proxy in front of the API end TLS:", [cookies::https(api)]),
        ));
    }
    if page.scheme() == "http" && !is_loopback(page) {
        found.push(Finding::note(
            "page",
            format!(
                "{page} is plain http: whoever is on the way can change the page and act as its user, and the browser \
                 keeps from it what needs a secure context (Web Locks, which keep tabs from refreshing at once)."
            ),
        ));
    }
    if api.is_loopback() && !is_loopback(page) {
        found.push(Finding::note(
            "local-network",
            format!("{api} is the user's own machine: Chrome 142 and later asks the user before {page} may call it."),
        ));
    }
    found
}

fn listed(pair: &Pair<'_>) -> Finding {
    let page = pair.page;
    if pair.settings.native_origins.contains(page) {
        let says = format!(
            "{page} is in native_origins: it may call, and may also have its refresh token in the body; list a page that \
             any browser opens in allowed_origins instead."
        );
        return Finding::note("origin", says);
    }
    if pair.is_listed() {
        return Finding::fine("origin", format!("The server takes calls from {page}."));
    }
    Finding::problem(
        "origin",
        format!(
            "{page} is not in allowed_origins: every call that may change something is 403 origin_not_allowed, and the \
             page can read no answer."
        ),
        Remedy::set("List the page's origin:", [allowed_origins(pair.settings, page.as_str())]),
    )
}

/// Whether the public URL is where browsers find the API.
fn public_url(pair: &Pair<'_>) -> Option<Finding> {
    let (public, api) = (&pair.settings.public_url, &pair.api);
    if pair.is_past_the_proxy() {
        let says = format!(
            "{} is taken for the server behind the proxy, since browsers are to find it at {public}: what the proxy \
             itself does isn't seen from here.",
            pair.asked.origin
        );
        return Some(Finding::note("public-url", says));
    }
    if api == public {
        return None;
    }
    let remedy = || {
        let advice = "Let public_url say where browsers find the API (it is the tokens' issuer too):";
        Remedy::set(advice, [Line::text("public_url", api)])
    };
    let problem = |says: String| Some(Finding::problem("public-url", says, remedy()));
    if api.is_https() && !public.is_https() {
        return problem(format!(
            "Browsers find the API by https at {api}, and public_url says {public}: the cookies lack Secure and __Host-."
        ));
    }
    if pair.relation() == Relation::SameOrigin || (api.is_loopback() && public.is_loopback()) {
        let says = format!(
            "The page calls the API at {api} and public_url says {public}: that works, with cookies that belong to {}.",
            api.host()
        );
        return Some(Finding::hint("public-url", says, remedy()));
    }
    problem(format!("Browsers find the API at {api}, and public_url says {public}: one of them is wrong."))
}

fn trusted_proxies(pair: &Pair<'_>) -> Option<Finding> {
    let settings = pair.settings;
    if !settings.public_url.is_https() || !settings.trusted_proxies.is_empty() {
        return None;
    }
    Some(Finding::hint(
        "trusted-proxies",
        "A proxy ends TLS and isn't listed: all users seem to have its address, so that one who guesses passwords makes \
         it 429 throttled for all.",
        Remedy::set("List your proxy's network, such as:", [Line::list("trusted_proxies", ["10.0.0.0/8"])]),
    ))
}

/// The line of client code that fits.
fn client(pair: &Pair<'_>) -> Finding {
    let base = if pair.is_past_the_proxy() { pair.api.to_string() } else { pair.asked.url("") };
    let csrf = cookies::Ours::of(pair.settings).map(|ours| ours.csrf);
    let readable = csrf.filter(|csrf| csrf.is_readable_from(pair.page, &pair.api));
    let cookie = match readable {
        Some(csrf) => {
            format!("withXSRFToken: true, xsrfCookieName: '{}', xsrfHeaderName: 'X-CSRFTOKEN' }})", csrf.name)
        }
        None => "headers: { 'X-CSRFTOKEN': csrf_token of the latest answer } })".to_owned(),
    };
    Finding::note(
        "client",
        format!(
            "In axios: axios.create({{ baseURL: '{base}', withCredentials: true, {cookie}; in fetch: credentials: \
             'include' and the header X-CSRFTOKEN."
        ),
    )
}

#[cfg(test)]
mod tests {
    use countersign::core::origin::Origin;
    use countersign::settings::{CookiePrefix, SameSite, Settings};

    use super::*;
    use crate::config::GROUPS;
    use crate::doctor::finding::Level;
    use crate::doctor::pair::Api;
    use crate::doctor::testing::settings;

    const APP: &str = "https://app.example.com";
    const AUTH: &str = "https://auth.example.com";
    const OTHER: &str = "https://app.example.org";
    const LOCAL: &str = "http://localhost:8000";
    const LOCAL_PAGE: &str = "http://localhost:3000";

    /// A page, an API's public URL, and what is set there besides.
    struct Case {
        page: Origin,
        asked: Option<Api>,
        settings: Settings,
    }

    impl Case {
        fn new(page: &str, public_url: &str) -> Self {
            let mut settings = settings(public_url);
            settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
            Self { page: Origin::parse(page).unwrap(), asked: None, settings }
        }

        /// The page is in `allowed_origins`.
        fn listed(self) -> Self {
            let page = self.page.clone();
            self.with(|settings| settings.allowed_origins.push(page))
        }

        fn cross_site(self) -> Self {
            self.with(|settings| settings.cookies.same_site = SameSite::None)
        }

        fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
            change(&mut self.settings);
            self.settings.validate().unwrap();
            self
        }

        fn asked(mut self, api: &str) -> Self {
            self.asked = Some(Api::parse(api).unwrap());
            self
        }

        fn findings(&self) -> Vec<Finding> {
            findings(&Pair::new(&self.page, self.asked.clone(), &self.settings))
        }

        /// The levels and words of all findings but those of no interest here.
        fn told(&self) -> Vec<String> {
            let level = |finding: &Finding| match finding.level {
                Level::Fine => "ok",
                Level::Note(_) => "note",
                Level::Problem(_) => "problem",
            };
            let findings = self.findings();
            let told = findings.iter().filter(|finding| finding.about != "client");
            told.map(|finding| format!("{} {}", level(finding), finding.about)).collect()
        }

        /// The lines of all problems.
        fn lines(&self) -> Vec<String> {
            let findings = self.findings();
            for line in findings.iter().filter_map(Finding::remedy).flat_map(|remedy| &remedy.lines) {
                let mut settings = GROUPS.iter().flat_map(|group| group.settings);
                assert!(settings.any(|setting| setting.name == line.setting), "{line}");
            }
            let problems = findings.iter().filter(|finding| finding.is_problem());
            problems.filter_map(Finding::remedy).flat_map(|it| &it.lines).map(ToString::to_string).collect()
        }

        fn says(&self, about: &str) -> String {
            self.findings().into_iter().find(|finding| finding.about == about).unwrap().says
        }
    }

    #[test]
    fn what_works_has_no_problem() {
        for (case, told) in [
            (Case::new(AUTH, AUTH), &["ok relation", "ok origin", "ok refresh-cookie", "ok csrf-cookie"][..]),
            (
                Case::new(APP, AUTH).listed(),
                &["ok relation", "ok origin", "ok refresh-cookie", "note csrf-cookie"],
            ),
            (
                Case::new(APP, AUTH).listed().with(|s| s.cookies.domain = Some("example.com".into())),
                &["ok relation", "ok origin", "ok refresh-cookie", "ok csrf-cookie"],
            ),
            (
                Case::new(APP, AUTH).listed().with(|s| s.cookies.same_site = SameSite::Strict),
                &["ok relation", "ok origin", "ok refresh-cookie", "note csrf-cookie"],
            ),
            (
                Case::new("https://app.example.com:8443", APP)
                    .listed()
                    .with(|s| s.cookies.prefix = CookiePrefix::Plain),
                &["ok relation", "ok origin", "ok refresh-cookie", "ok csrf-cookie"],
            ),
            (
                Case::new(LOCAL_PAGE, LOCAL).listed(),
                &["ok relation", "ok origin", "ok refresh-cookie", "ok csrf-cookie", "note localhost"],
            ),
            (
                Case::new(LOCAL_PAGE, LOCAL).listed().with(|s| s.cookies.csrf_name = "XSRF-TOKEN".into()),
                &["ok relation", "ok origin", "ok refresh-cookie", "ok csrf-cookie"],
            ),
            (
                Case::new(OTHER, AUTH).listed().cross_site().with(|s| s.cookies.partitioned = true),
                &["note relation", "ok origin", "note third-party-cookies", "note csrf-cookie"],
            ),
            (
                Case::new("capacitor://localhost", AUTH)
                    .with(|s| s.native_origins = vec![Origin::parse("capacitor://localhost").unwrap()]),
                &["ok origin"],
            ),
            (
                Case::new("https://localhost", AUTH).with(|s| {
                    s.native_origins = vec![Origin::parse("https://localhost").unwrap()];
                    s.cookies.same_site = SameSite::None;
                    s.cookies.partitioned = true;
                }),
                &["note relation", "note origin", "note third-party-cookies", "note csrf-cookie"],
            ),
            (
                Case::new("http://app.example.com", "http://auth.example.com")
                    .with(|s| s.insecure_http = true)
                    .listed(),
                &["ok relation", "note page", "ok origin", "ok refresh-cookie", "note csrf-cookie"],
            ),
        ] {
            assert_eq!(case.told(), told, "{}", case.page);
        }
    }

    #[test]
    fn each_problem_comes_with_the_lines_that_mend_it() {
        let none = ["cookie_samesite = \"None\"", "cookie_partitioned = true"];
        for (case, told, lines) in [
            (
                Case::new(APP, AUTH).with(|s| s.allowed_origins = vec![Origin::parse(LOCAL_PAGE).unwrap()]),
                &["ok relation", "problem origin", "ok refresh-cookie", "note csrf-cookie"][..],
                &[r#"allowed_origins = ["http://localhost:3000", "https://app.example.com"]"#][..],
            ),
            (
                Case::new(OTHER, AUTH).listed(),
                &["note relation", "ok origin", "problem refresh-cookie"],
                &none,
            ),
            (
                Case::new(OTHER, AUTH).listed().cross_site(),
                &["note relation", "ok origin", "problem third-party-cookies", "note csrf-cookie"],
                &["cookie_partitioned = true"],
            ),
            (
                Case::new("https://ana.github.io", "https://ben.github.io").listed(),
                &["note relation", "ok origin", "problem refresh-cookie"],
                &none,
            ),
            // The page's address is the problem, so it isn't offered as a line.
            (
                Case::new("http://127.0.0.1:3000", LOCAL),
                &["note relation", "problem refresh-cookie"],
                &[r#"allowed_origins = ["http://localhost:3000"]"#],
            ),
            (
                Case::new("http://127.0.0.1:3000", LOCAL)
                    .with(|s| s.allowed_origins = vec![Origin::parse(LOCAL_PAGE).unwrap()]),
                &["note relation", "problem refresh-cookie"],
                &[],
            ),
            (
                Case::new("http://app.example.com", AUTH),
                &["note relation", "note page", "problem refresh-cookie"],
                &[r#"allowed_origins = ["https://app.example.com"]"#],
            ),
            (
                Case::new("https://localhost:3000", LOCAL).listed(),
                &["note relation", "ok origin", "problem refresh-cookie"],
                &[r#"allowed_origins = ["https://localhost:3000", "http://localhost:3000"]"#],
            ),
            (
                Case::new(APP, "http://auth.example.com").with(|s| s.insecure_http = true).listed(),
                &["note relation", "problem mixed-content", "ok origin", "problem refresh-cookie"],
                &[r#"public_url = "https://auth.example.com""#; 2],
            ),
            (
                Case::new(APP, LOCAL).listed(),
                &["note relation", "note local-network", "ok origin", "problem refresh-cookie"],
                &[r#"public_url = "https://auth.example.com""#],
            ),
            (
                Case::new(LOCAL_PAGE, AUTH).listed(),
                &["note relation", "ok origin", "problem refresh-cookie"],
                &none,
            ),
            (
                Case::new("https://a.example.co.uk", "https://b.example.co.uk")
                    .listed()
                    .with(|s| s.cookies.domain = Some("co.uk".into())),
                &["ok relation", "ok origin", "ok refresh-cookie", "problem cookies"],
                &[r#"cookie_domain = "example.co.uk""#],
            ),
            (
                Case::new("capacitor://localhost", AUTH),
                &["problem origin"],
                &[r#"native_origins = ["capacitor://localhost"]"#],
            ),
        ] {
            assert_eq!((case.told(), case.lines()), (owned(told), owned(lines)), "{}", case.page);
        }
    }

    #[test]
    fn where_the_page_finds_the_api_is_compared_with_the_public_url() {
        for (case, told, lines) in [
            (Case::new(APP, AUTH).listed().asked(AUTH), None, &[][..]),
            (Case::new(APP, AUTH).listed().asked("http://127.0.0.1:8000"), Some("note public-url"), &[]),
            (
                Case::new(APP, AUTH).listed().asked("https://api.example.com"),
                Some("problem public-url"),
                &[r#"public_url = "https://api.example.com""#],
            ),
            (
                Case::new(APP, LOCAL).listed().asked("https://auth.example.com"),
                Some("problem public-url"),
                &[r#"public_url = "https://auth.example.com""#],
            ),
            (
                Case::new(LOCAL_PAGE, LOCAL).listed().asked("http://localhost:3000/api"),
                Some("note public-url"),
                &[],
            ),
            (
                Case::new(APP, AUTH).listed().asked("https://app.example.com/auth"),
                Some("note public-url"),
                &[],
            ),
            (
                Case::new("http://127.0.0.1:3000", LOCAL).listed().asked("http://127.0.0.1:8000"),
                Some("note public-url"),
                &[],
            ),
        ] {
            let found = case.told().into_iter().find(|told| told.ends_with("public-url"));
            assert_eq!((found.as_deref(), case.lines()), (told, owned(lines)), "{:?}", case.asked);
        }
    }

    #[test]
    fn the_names_are_those_that_browsers_see() {
        let case = Case::new(APP, APP);
        assert!(case.says("refresh-cookie").contains("__Host-refreshtoken"));
        assert!(case.says("client").contains("xsrfCookieName: '__Host-csrftoken'"));
        let case = Case::new(APP, AUTH).listed().with(|s| s.cookies.domain = Some("example.com".into()));
        assert!(case.says("client").contains("xsrfCookieName: '__Secure-csrftoken'"));
        let case = Case::new(LOCAL_PAGE, LOCAL).listed().asked("http://localhost:3000/api/");
        assert!(case.says("client").contains("baseURL: 'http://localhost:3000/api', withCredentials: true"));
        let case = Case::new(APP, AUTH).listed().asked("http://127.0.0.1:8000");
        assert!(case.says("client").contains(&format!("baseURL: '{AUTH}'")));
        assert!(case.says("client").contains("csrf_token of the latest answer"));
    }

    #[test]
    fn a_sibling_host_is_offered_a_wider_csrf_cookie_where_there_can_be_one() {
        let offered = |case: Case| {
            let findings = case.findings();
            let csrf = findings.iter().find(|finding| finding.about == "csrf-cookie").unwrap();
            csrf.remedy().map(|remedy| remedy.lines.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(offered(Case::new(APP, AUTH)), Some(owned(&[r#"cookie_domain = "example.com""#])));
        assert_eq!(
            offered(Case::new("http://a.app.localhost", "http://b.app.localhost")),
            Some(owned(&[r#"cookie_domain = "app.localhost""#]))
        );
        assert_eq!(offered(Case::new(OTHER, AUTH).cross_site()), None);
    }

    #[test]
    fn a_proxy_that_is_not_listed_is_told_of() {
        let case = Case::new(APP, AUTH).listed().with(|s| s.trusted_proxies = Vec::new());
        assert!(case.told().contains(&"note trusted-proxies".to_owned()));
        let case = Case::new(LOCAL_PAGE, LOCAL).listed().with(|s| s.trusted_proxies = Vec::new());
        assert!(!case.told().contains(&"note trusted-proxies".to_owned()));
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }
}
