//! Sites, as browsers tell them apart for `SameSite` cookies: a scheme and a registrable domain, by the public suffix
//! list.

use std::net::Ipv4Addr;

use countersign::core::origin::Origin;

/// Whether both are on one site, *schemefully*: Chrome and Edge take `http` and `https` for two sites.
pub(crate) fn is_same_site(one: &Origin, other: &Origin) -> bool {
    one.scheme() == other.scheme() && domain(one.host()) == domain(other.host())
}

/// The registrable domain of a host: `example.co.uk`. A host that has none is a site of its own: an IP address,
/// `localhost`, a public suffix itself.
pub(crate) fn domain(host: &str) -> &str {
    if is_address(host) { host } else { psl::domain_str(host).unwrap_or(host) }
}

/// The listed suffix of several labels that a host is under: `co.uk`, `github.io`. Whoever registers below it is
/// a stranger to their neighbours.
pub(crate) fn shared_suffix(host: &str) -> Option<&str> {
    let suffix = psl::suffix_str(host).filter(|suffix| suffix.contains('.'));
    suffix.filter(|suffix| !is_address(host) && *suffix != host)
}

/// Whether browsers refuse a cookie for this whole domain.
pub(crate) fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// Whether a host is an IP address and not a name.
pub(crate) fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_scheme_and_a_registrable_domain() {
        for (a, b, same) in [
            ("https://auth.example.com", "https://app.example.com:8443", true),
            ("https://example.com", "https://a.b.example.com", true),
            ("https://auth.example.com", "http://app.example.com", false),
            ("https://auth.example.com", "https://auth.example.org", false),
            ("https://example.com", "https://notexample.com", false),
            ("https://auth.example.co.uk", "https://app.example.co.uk", true),
            ("https://auth.co.uk", "https://app.co.uk", false),
            ("https://ana.github.io", "https://ben.github.io", false),
            ("https://github.io", "https://ana.github.io", false),
            ("https://auth.company.internal", "https://app.company.internal", true),
            ("http://localhost:8000", "http://localhost:3000", true),
            ("http://localhost:8000", "http://app.localhost:3000", false),
            ("http://api.localhost", "http://app.localhost", false),
            ("http://a.app.localhost", "http://b.app.localhost", true),
            ("http://localhost:8000", "http://127.0.0.1:8000", false),
            ("http://127.0.0.1:8000", "http://127.0.0.1:3000", true),
            ("http://10.1.0.1", "http://10.2.0.1", false),
            ("http://[::1]:1", "http://[::1]:2", true),
            ("http://intranet", "http://intranet:3000", true),
            ("http://intranet", "http://com", false),
        ] {
            let (a, b) = (Origin::parse(a).unwrap(), Origin::parse(b).unwrap());
            assert_eq!(is_same_site(&a, &b), same, "{a} and {b}");
            assert_eq!(is_same_site(&b, &a), same, "{b} and {a}");
        }
    }

    #[test]
    fn a_shared_suffix_has_several_labels_and_something_before_it() {
        assert_eq!(shared_suffix("ana.github.io"), Some("github.io"));
        assert_eq!(shared_suffix("auth.example.co.uk"), Some("co.uk"));
        for host in ["auth.example.com", "github.io", "localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(shared_suffix(host), None, "{host}");
        }
    }
}
