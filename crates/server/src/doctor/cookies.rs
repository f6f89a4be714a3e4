//! What becomes of the two cookies between this page and this API, under these settings.

use countersign::core::origin::PublicUrl;
use countersign::http;
use countersign::settings::{SameSite, Settings};

use super::finding::{Finding, Line, Remedy};
use super::pair::{Apart, Pair, Relation, is_loopback};
use super::set_cookie::{Dropped, Fate, SetCookie};
use crate::site;

/// The cookies that a server with some settings sets.
pub(super) struct Ours {
    pub(super) refresh: SetCookie,
    pub(super) csrf: SetCookie,
}

impl Ours {
    /// As the server itself would write them. None only where its headers could not be read, which a test excludes.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let [refresh, csrf] =
            http::blank_cookies(settings).map(|header| SetCookie::parse(header.to_str().unwrap_or_default()));
        Some(Self { refresh: refresh?, csrf: csrf? })
    }
}

/// Whether the remedy for the cookies is another address of the page, which makes its present one of no interest.
pub(super) fn want_another_page(pair: &Pair<'_>) -> bool {
    let moves = match pair.relation() {
        Relation::CrossSite(Apart::Loopback) => true,
        Relation::CrossSite(Apart::Scheme) => pair.api.is_https() || pair.api.is_loopback(),
        _ => false,
    };
    moves && pair.settings.cookies.same_site != SameSite::None
}

/// All about the cookies.
pub(super) fn findings(pair: &Pair<'_>) -> Vec<Finding> {
    let Some(Ours { refresh, csrf }) = Ours::of(pair.settings) else { return Vec::new() };
    let (refresh_fate, csrf_fate) = (refresh.fate(pair), csrf.fate(pair));
    let mut found = vec![match refresh_fate {
        Fate::Kept => kept(&refresh, pair),
        Fate::ThirdParty if refresh.partitioned => partitioned(&refresh, pair),
        Fate::ThirdParty => third_party(&refresh),
        Fate::Dropped(Dropped::CrossSite) => cross_site(&refresh, pair),
        Fate::Dropped(why) => dropped(&refresh, why, pair),
    }];
    match csrf_fate {
        Fate::Kept | Fate::ThirdParty if csrf.is_readable_from(pair.page, &pair.api) => {
            found.push(readable(&csrf));
            found.extend(shadowed(&csrf, pair));
        }
        Fate::Kept | Fate::ThirdParty => found.push(unreadable(&csrf, pair)),
        // Told with the other one.
        Fate::Dropped(why) if refresh_fate == csrf_fate && why == Dropped::CrossSite => {}
        Fate::Dropped(why) => found.push(dropped(&csrf, why, pair)),
    }
    found
}

fn kept(refresh: &SetCookie, pair: &Pair<'_>) -> Finding {
    let name = &refresh.name;
    let says = match pair.relation() {
        Relation::SameOrigin => format!("{name} comes along with every call of this page"),
        _ => format!(
            "{name} comes along with the calls of this page that say so: credentials: 'include' in fetch, \
             withCredentials: true in axios"
        ),
    };
    Finding::fine("refresh-cookie", says + "; no browser takes it for a third party's.")
}

fn third_party(refresh: &SetCookie) -> Finding {
    let name = &refresh.name;
    Finding::problem(
        "third-party-cookies",
        format!(
            "{name} is a third party's cookie on this page: Safari (all of iOS) drops it, and so does Chrome in \
             incognito windows and where third-party cookies are blocked, so that a reload signs out; Firefox keeps it \
             for pages of this site alone."
        ),
        Remedy::set(
            "Best: serve the page and the API below one domain. Else keep the cookies apart for each site:",
            [Line::on("cookie_partitioned")],
        ),
    )
}

fn partitioned(refresh: &SetCookie, pair: &Pair<'_>) -> Finding {
    Finding::note(
        "third-party-cookies",
        format!(
            "{} is partitioned: Chrome 114, Firefox 141, Safari 26.2 and later keep it, for pages of {} alone; an older \
             Safari drops it, and there a reload signs out (one domain for both works everywhere).",
            refresh.name,
            site::domain(pair.page.host())
        ),
    )
}

fn cross_site(refresh: &SetCookie, pair: &Pair<'_>) -> Finding {
    let mode = pair.settings.cookies.same_site.as_str();
    Finding::problem(
        "refresh-cookie",
        format!(
            "SameSite={mode} keeps {} and the CSRF cookie from this page: the browser neither stores nor sends them, \
             so a login seems to work and the first refresh is a 401.",
            refresh.name
        ),
        match pair.relation() {
            Relation::CrossSite(Apart::Loopback) => one_name_for_this_machine(pair),
            Relation::CrossSite(Apart::Scheme) => one_scheme(pair),
            _ => one_domain(pair),
        },
    )
}

fn one_name_for_this_machine(pair: &Pair<'_>) -> Remedy {
    let page = format!("{}://{}{}", pair.api.scheme(), pair.api.host(), port(pair));
    if pair.settings.allowed_origins.iter().any(|listed| listed.as_str() == page) {
        return Remedy::advice(format!("Open the page as {page}, with the host that the API has."));
    }
    let line = allowed_origins(pair.settings, &page);
    Remedy::set(format!("Open the page as {page}, with the host that the API has:"), [line])
}

fn one_scheme(pair: &Pair<'_>) -> Remedy {
    if pair.api.is_https() {
        let page = format!("https://{}{}", pair.page.host(), port(pair));
        let line = allowed_origins(pair.settings, &page);
        return Remedy::set(format!("Serve the page by https too, as {page}:"), [line]);
    }
    if pair.api.is_loopback() {
        let page = format!("http://{}{}", pair.page.host(), port(pair));
        let line = allowed_origins(pair.settings, &page);
        return Remedy::set(
            format!("While you develop, serve the page by plain http too, as {page}:"),
            [line],
        );
    }
    Remedy::set("Let a proxy in front of the API end TLS:", [https(&pair.api)])
}

fn one_domain(pair: &Pair<'_>) -> Remedy {
    let none = [Line::text("cookie_samesite", "None"), Line::on("cookie_partitioned")];
    match (pair.api.is_loopback(), is_loopback(pair.page)) {
        (true, false) if !site::is_address(pair.page.host()) => {
            let url = format!("https://auth.{}", site::domain(pair.page.host()));
            let advice = "Give the API a name below the page's domain, with a proxy in front that ends TLS:";
            Remedy::set(advice, [Line::text("public_url", url)])
        }
        (false, true) => Remedy::set(
            "While you develop, use a Countersign on this machine (`countersign serve`). If it has to be that one:",
            none,
        ),
        _ if pair.api.is_https() => Remedy::set("Best: serve both below one domain. Else:", none),
        _ => {
            let [none, partitioned] = none;
            let lines = [https(&pair.api), none, partitioned];
            Remedy::set(
                "Best: serve both below one domain. Else, with a proxy in front that ends TLS:",
                lines,
            )
        }
    }
}

fn dropped(cookie: &SetCookie, why: Dropped, pair: &Pair<'_>) -> Finding {
    let name = &cookie.name;
    let domain = cookie.domain.as_deref().unwrap_or_default();
    let (because, remedy) = match why {
        Dropped::PublicSuffix => (
            format!("its domain {domain} is a public suffix, whose cookies would go to strangers"),
            domain_setting(pair),
        ),
        Dropped::OtherDomain => (
            format!("its domain {domain} is none of {}", pair.api.host()),
            Remedy::set(
                "Let public_url say where browsers find the API:",
                [Line::text("public_url", &pair.api)],
            ),
        ),
        Dropped::SecureOverHttp => ("it is Secure, and comes by plain http".to_owned(), by_https(pair)),
        Dropped::NotSecure => {
            ("SameSite=None and Partitioned go with Secure alone".to_owned(), by_https(pair))
        }
        Dropped::Prefix => {
            ("its attributes are not those that its prefix asks for".to_owned(), by_https(pair))
        }
        Dropped::CrossSite => ("the page is on another site".to_owned(), one_domain(pair)),
    };
    Finding::problem("cookies", format!("Browsers drop {name}: {because}."), remedy)
}

fn by_https(pair: &Pair<'_>) -> Remedy {
    Remedy::set("Let public_url say where browsers find the API:", [https(&pair.api)])
}

/// The widest domain that takes a cookie, where there is one.
fn domain_setting(pair: &Pair<'_>) -> Remedy {
    let domain = site::domain(pair.api.host());
    if site::is_public_suffix(domain) || site::is_address(domain) {
        return Remedy::advice("Take cookie_domain out: the page gets its token from GET /accounts/csrf.");
    }
    Remedy::set(
        "Write the domain that is yours, or take the setting out:",
        [Line::text("cookie_domain", domain)],
    )
}

fn readable(csrf: &SetCookie) -> Finding {
    Finding::fine(
        "csrf-cookie",
        format!("The page's script can read {} in document.cookie, and send it in X-CSRFTOKEN.", csrf.name),
    )
}

/// Not a problem: the token is in the bodies of a login, of a refresh and of `GET /accounts/csrf` too.
fn unreadable(csrf: &SetCookie, pair: &Pair<'_>) -> Finding {
    let whose = csrf.domain.as_deref().unwrap_or_else(|| pair.api.host());
    let says = format!(
        "The page's script can't read {}, which belongs to {whose}: take csrf_token of the login's answer, and of GET \
         /accounts/csrf after a reload (@countersign/client does).",
        csrf.name
    );
    let domain = site::domain(pair.api.host());
    let can_be_widened = pair.relation() == Relation::SameSite
        && pair.settings.cookies.domain.is_none()
        && domain.contains('.')
        && !site::is_address(domain)
        && !site::is_public_suffix(domain);
    if !can_be_widened {
        return Finding::note("csrf-cookie", says);
    }
    let advice = "Only for a client that must read it in a cookie, and if you trust every host there:";
    Finding::hint("csrf-cookie", says, Remedy::set(advice, [Line::text("cookie_domain", domain)]))
}

/// Cookies know hosts, and no ports.
fn shadowed(csrf: &SetCookie, pair: &Pair<'_>) -> Option<Finding> {
    if !pair.api.is_loopback() || csrf.name != "csrftoken" {
        return None;
    }
    Some(Finding::hint(
        "localhost",
        format!(
            "Cookies ignore ports: another server on {} that sets csrftoken, as Django does, overwrites ours; \
             csrf_token in the answers' bodies can't be overwritten.",
            pair.api.host()
        ),
        Remedy::set(
            "If you see csrf_failed there (axios and Angular look for this name by themselves):",
            [Line::text("csrf_cookie_name", "XSRF-TOKEN")],
        ),
    ))
}

/// The setting as it is, and one more origin.
pub(super) fn allowed_origins(settings: &Settings, page: &str) -> Line {
    let listed = settings.allowed_origins.iter().map(ToString::to_string).filter(|origin| origin != page);
    Line::list("allowed_origins", listed.chain([page.to_owned()]))
}

/// The public URL by https; of a port nothing is kept, since another server answers there.
pub(super) fn https(api: &PublicUrl) -> Line {
    Line::text("public_url", format!("https://{}", api.host()))
}

fn port(pair: &Pair<'_>) -> String {
    pair.page.port().map(|port| format!(":{port}")).unwrap_or_default()
}
