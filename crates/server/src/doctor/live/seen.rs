//! The cookies that really arrive, against those that the settings ask for.

use axum::http::header::SET_COOKIE;

use super::ask::{Answer, shown};
use countersign::settings::SameSite;

use crate::doctor::cookies::Ours;
use crate::doctor::finding::{Finding, Remedy};
use crate::doctor::pair::Pair;
use crate::doctor::set_cookie::SetCookie;

/// Reads the answer to a logout: it clears both cookies, with the attributes that they are set with.
pub(super) fn findings(answer: &Answer, pair: &Pair<'_>) -> Vec<Finding> {
    let Some(Ours { refresh, csrf }) = Ours::of(pair.settings) else { return Vec::new() };
    let seen = answer.headers.get_all(SET_COOKIE).iter();
    let seen: Vec<_> =
        seen.filter_map(|header| SetCookie::parse(&String::from_utf8_lossy(header.as_bytes()))).collect();
    let faults: Vec<_> = [refresh, csrf].iter().flat_map(|wanted| faults(wanted, &seen)).collect();
    if faults.is_empty() {
        let says = "The cookies arrive with the names and attributes that the settings ask for.";
        return vec![Finding::fine("cookies-seen", says)];
    }
    let as_problem = |fault| {
        Finding::problem(
            "cookies-seen",
            format!("The cookies do not arrive as the settings say: {fault}."),
            Remedy::advice(
                "Restart the server with these settings; and let the proxy leave Set-Cookie alone (in nginx \
                 proxy_cookie_path, proxy_cookie_domain and proxy_cookie_flags change it).",
            ),
        )
    };
    faults.into_iter().map(as_problem).collect()
}

/// In what a cookie that arrived differs from the one that was wanted.
fn faults(wanted: &SetCookie, seen: &[SetCookie]) -> Vec<String> {
    let name = &wanted.name;
    let Some(seen) = seen.iter().find(|seen| &seen.name == name) else {
        let others: Vec<_> = seen.iter().map(|seen| shown(&seen.name)).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(" and ") };
        return vec![format!("{name} is missing, what came is {others}")];
    };
    let mut faults = Vec::new();
    let mut compare = |attribute: &str, wanted: Option<&str>, seen: Option<&str>| {
        if wanted != seen {
            let how = |value: Option<&str>| match value {
                None => format!("without {attribute}"),
                Some("") => format!("with {attribute}"),
                Some(value) => format!("with {attribute}={}", shown(value)),
            };
            faults.push(format!("{name} comes {} and should come {}", how(seen), how(wanted)));
        }
    };
    let flag = |is_set: bool| is_set.then_some("");
    let mode = |cookie: &SetCookie| cookie.same_site.map(SameSite::as_str);
    compare("Secure", flag(wanted.secure), flag(seen.secure));
    compare("HttpOnly", flag(wanted.http_only), flag(seen.http_only));
    compare("Partitioned", flag(wanted.partitioned), flag(seen.partitioned));
    compare("SameSite", mode(wanted), mode(seen));
    compare("Path", wanted.path.as_deref(), seen.path.as_deref());
    compare("Domain", wanted.domain.as_deref(), seen.domain.as_deref());
    faults
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use countersign::core::origin::Origin;

    use super::*;
    use crate::doctor::testing::settings;

    fn says(cookies: [&'static str; 2]) -> Vec<String> {
        let (page, settings) =
            (Origin::parse("https://app.example.com").unwrap(), settings("https://auth.example.com"));
        let pair = Pair::new(&page, None, &settings);
        let headers: HeaderMap =
            cookies.map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie))).into_iter().collect();
        let findings = findings(&Answer { status: 204, headers, body: Vec::new() }, &pair);
        findings.into_iter().filter(Finding::is_problem).map(|finding| finding.says).collect()
    }

    const REFRESH: &str = "__Host-refreshtoken=; HttpOnly; Path=/; SameSite=Lax; Max-Age=0; Secure";
    const CSRF: &str = "__Host-csrftoken=; Path=/; SameSite=Lax; Max-Age=0; Secure";

    #[test]
    fn cookies_that_arrive_as_the_settings_say_are_fine() {
        assert_eq!(says([CSRF, REFRESH]), Vec::<String>::new());
    }

    #[test]
    fn what_a_proxy_did_to_a_cookie_is_told() {
        for (cookie, fault) in [
            ("__Host-csrftoken=; Path=/; SameSite=Lax", "comes without Secure and should come with Secure"),
            (
                "__Host-csrftoken=; Path=/; SameSite=None; Secure",
                "with SameSite=None and should come with SameSite=Lax",
            ),
            (
                "__Host-csrftoken=; Path=/auth; SameSite=Lax; Secure",
                "with Path=/auth and should come with Path=/",
            ),
            (
                "__Host-csrftoken=; Path=/; SameSite=Lax; Secure; Domain=x.example",
                "with Domain=x.example and",
            ),
            ("csrftoken=; Path=/; SameSite=Lax; Secure", "__Host-csrftoken is missing, what came is"),
        ] {
            let said = says([cookie, REFRESH]);
            assert!(said.len() == 1 && said[0].contains(fault), "{said:?}");
        }
    }
}
