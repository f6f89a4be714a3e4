//! The two cookies: the refresh token that no script can read, and the CSRF token that our page must read.
//!
//! Each cookie knows its name and its attributes, and writes both the header that sets it and the one that clears
//! it: a browser clears a cookie only under the very name, path and domain that it was set with.
//!
//! Reading goes by bytes. A name with anything before it is another name: what a lenient parser trims (U+2000, a
//! non-breaking space), a browser has let a page set without the rules of `__Host-`. And no first one wins: a sibling
//! host can toss a cookie of the same name, so all of them are handed on, and the CSRF header decides.

use axum::response::{IntoResponse, Response};
use countersign_core::Seconds;
use countersign_verify::Problem;
use http::{HeaderMap, HeaderValue, header};

use super::code::Code;
use crate::REFRESH_COOKIE;
use crate::settings::{CookiePrefix, Settings};

/// The longest refresh cookie that is read, in bytes: as long as a token may be.
const VALUE_MAX: usize = 8 * 1024;

/// How long all `Cookie` headers of a request may be, in bytes.
const HEADERS_MAX: usize = 16 * 1024;

/// Both cookies, as the settings want them.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    refresh: Cookie,
    csrf: Cookie,
}

/// A cookie, but for its value and its life.
#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    /// What stands before `Max-Age`: who may read the cookie, and where it is sent.
    scope: String,
    /// What stands after it: how it travels.
    transport: &'static str,
}

/// Cookies over the limits: `431`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cookies are too large")]
pub(crate) struct TooLarge;

impl Cookies {
    /// The cookies of these settings.
    ///
    /// `__Host-` binds a cookie to this very host, over TLS; with a domain it can't be had, and `__Secure-` is what
    /// is left. The public URL decides, never a header: TLS ends at a proxy in front.
    pub(crate) fn new(settings: &Settings) -> Self {
        let wanted = &settings.cookies;
        let https = settings.public_url.is_https();
        let transport = match (https, wanted.partitioned) {
            (true, true) => "; Secure; Partitioned",
            (true, false) => "; Secure",
            (false, _) => "",
        };
        let prefix = |domain: Option<&String>| match (wanted.prefix, https, domain) {
            (CookiePrefix::Plain, ..) | (_, false, _) => "",
            (CookiePrefix::Auto, true, None) => "__Host-",
            (CookiePrefix::Auto, true, Some(_)) => "__Secure-",
        };
        let cookie = |name: &str, http_only: &str, domain: Option<&String>| {
            let domain_attribute =
                domain.map(|domain| format!("; Domain={}", domain.trim_start_matches('.')));
            let domain_attribute = domain_attribute.unwrap_or_default();
            let same_site = wanted.same_site.as_str();
            Cookie {
                name: format!("{}{name}", prefix(domain)),
                scope: format!("{http_only}; Path=/{domain_attribute}; SameSite={same_site}"),
                transport,
            }
        };
        Self {
            refresh: cookie(REFRESH_COOKIE, "; HttpOnly", None),
            csrf: cookie(&wanted.csrf_name, "", wanted.domain.as_ref()),
        }
    }

    /// The refresh cookie's name, with its prefix.
    pub(crate) fn refresh_name(&self) -> &str {
        &self.refresh.name
    }

    /// The CSRF cookie's name, with its prefix.
    pub(crate) fn csrf_name(&self) -> &str {
        &self.csrf.name
    }

    /// Sets the refresh cookie; without a life it ends with the browser.
    pub(crate) fn set_refresh(&self, token: &str, life: Option<Seconds>) -> HeaderValue {
        self.refresh.set(token, life)
    }

    /// Sets the CSRF cookie; without a life it ends with the browser.
    pub(crate) fn set_csrf(&self, token: &str, life: Option<Seconds>) -> HeaderValue {
        self.csrf.set(token, life)
    }

    /// Clears both.
    pub(crate) fn clear(&self) -> [HeaderValue; 2] {
        [self.refresh.clear(), self.csrf.clear()]
    }

    /// The values of all refresh cookies in a request, in their order, whatever their bytes; an empty one is none.
    pub(crate) fn refresh_values<'a>(&self, headers: &'a HeaderMap) -> Result<Vec<&'a [u8]>, TooLarge> {
        let sent = headers.get_all(header::COOKIE);
        if sent.iter().map(HeaderValue::len).sum::<usize>() > HEADERS_MAX {
            return Err(TooLarge);
        }
        let name = self.refresh.name.as_bytes();
        let values: Vec<_> = sent
            .iter()
            .flat_map(|header| header.as_bytes().split(|&byte| byte == b';'))
            .filter_map(|pair| value_of(pair, name))
            .filter(|value| !value.is_empty())
            .collect();
        if values.iter().any(|value| value.len() > VALUE_MAX) { Err(TooLarge) } else { Ok(values) }
    }
}

impl Cookie {
    fn set(&self, value: &str, life: Option<Seconds>) -> HeaderValue {
        match life {
            Some(Seconds(life)) => self.header(value, &format!("; Max-Age={life}")),
            None => self.header(value, ""),
        }
    }

    /// `Expires` is for the few clients that don't know `Max-Age`.
    fn clear(&self) -> HeaderValue {
        self.header("", "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }

    /// All of it is visible ASCII: the settings have been validated, and our tokens are base64url and dots.
    fn header(&self, value: &str, life: &str) -> HeaderValue {
        let Self { name, scope, transport } = self;
        let header = HeaderValue::try_from(format!("{name}={value}{scope}{life}{transport}"));
        let mut header = header.unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// The value of a cookie pair that has exactly this name. Only the space that separates pairs is not of the name.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = pair.iter().position(|&byte| byte != b' ')?;
    pair.get(start..)?.strip_prefix(name)?.strip_prefix(b"=")
}

impl From<TooLarge> for Problem {
    fn from(_: TooLarge) -> Self {
        let detail = "The cookies of this request are too large: clear this site's cookies and log in again.";
        Code::HeadersTooLarge.problem(detail)
    }
}

impl IntoResponse for TooLarge {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;
    use crate::http::testing::settings_at;
    use crate::settings::SameSite;

    const HTTPS: &str = "https://auth.example.com";
    const WEEK: Option<Seconds> = Some(Seconds(604_800));

    fn https(change: impl FnOnce(&mut Settings)) -> Cookies {
        let mut settings = settings_at(HTTPS);
        change(&mut settings);
        settings.validate().unwrap();
        Cookies::new(&settings)
    }

    fn plain() -> Cookies {
        Cookies::new(&settings_at("http://localhost:8000"))
    }

    fn headers(cookies: &[&[u8]]) -> HeaderMap {
        let value = |bytes: &&[u8]| (header::COOKIE, HeaderValue::from_bytes(bytes).unwrap());
        cookies.iter().map(value).collect()
    }

    // attack 55
    #[test]
    fn on_https_both_are_bound_to_the_host_and_the_refresh_cookie_is_hidden_from_script() {
        let cookies = https(|_| ());
        assert_eq!(
            cookies.set_refresh("a.b.c", WEEK),
            "__Host-refreshtoken=a.b.c; HttpOnly; Path=/; SameSite=Lax; Max-Age=604800; Secure"
        );
        assert_eq!(
            cookies.set_csrf("c", WEEK),
            "__Host-csrftoken=c; Path=/; SameSite=Lax; Max-Age=604800; Secure"
        );
        assert_eq!(
            (cookies.refresh_name(), cookies.csrf_name()),
            ("__Host-refreshtoken", "__Host-csrftoken")
        );
    }

    #[test]
    fn on_plain_http_there_is_no_prefix_and_nothing_is_secure() {
        assert_eq!(
            plain().set_refresh("t", WEEK),
            "refreshtoken=t; HttpOnly; Path=/; SameSite=Lax; Max-Age=604800"
        );
        assert_eq!(plain().set_csrf("t", WEEK), "csrftoken=t; Path=/; SameSite=Lax; Max-Age=604800");
    }

    #[test]
    fn without_a_life_a_cookie_ends_with_the_browser() {
        assert_eq!(plain().set_refresh("t", None), "refreshtoken=t; HttpOnly; Path=/; SameSite=Lax");
        assert_eq!(https(|_| ()).set_csrf("t", None), "__Host-csrftoken=t; Path=/; SameSite=Lax; Secure");
    }

    // attack 55
    #[test]
    fn a_domain_widens_the_csrf_cookie_alone() {
        for domain in ["example.com", ".example.com"] {
            let cookies = https(|settings| settings.cookies.domain = Some(domain.into()));
            assert_eq!(
                cookies.set_refresh("t", None),
                "__Host-refreshtoken=t; HttpOnly; Path=/; SameSite=Lax; Secure"
            );
            assert_eq!(
                cookies.set_csrf("t", None),
                "__Secure-csrftoken=t; Path=/; Domain=example.com; SameSite=Lax; Secure"
            );
        }
    }

    #[test]
    fn each_setting_shows_in_the_cookies() {
        let cookies = https(|settings| {
            settings.cookies.same_site = SameSite::None;
            settings.cookies.partitioned = true;
            settings.cookies.csrf_name = "XSRF-TOKEN".into();
            settings.cookies.prefix = CookiePrefix::Plain;
        });
        assert_eq!(
            cookies.set_refresh("t", None),
            "refreshtoken=t; HttpOnly; Path=/; SameSite=None; Secure; Partitioned"
        );
        assert_eq!(cookies.set_csrf("t", None), "XSRF-TOKEN=t; Path=/; SameSite=None; Secure; Partitioned");
        let strict = https(|settings| settings.cookies.same_site = SameSite::Strict);
        assert_eq!(strict.set_csrf("t", None), "__Host-csrftoken=t; Path=/; SameSite=Strict; Secure");
    }

    // attack 34
    #[test]
    fn a_cookie_is_cleared_with_the_attributes_that_it_was_set_with() {
        let gone = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        let cookies = https(|settings| {
            settings.cookies.domain = Some("example.com".into());
            settings.cookies.same_site = SameSite::None;
            settings.cookies.partitioned = true;
        });
        let [refresh, csrf] = cookies.clear();
        for (set, clear) in [(cookies.set_refresh("", WEEK), refresh), (cookies.set_csrf("", WEEK), csrf)] {
            assert_eq!(set.to_str().unwrap().replace("Max-Age=604800", gone), clear.to_str().unwrap());
        }
    }

    // attack 116
    #[test]
    fn a_cookie_header_does_not_show_its_token_in_debug_output() {
        assert!(!format!("{:?}", plain().set_refresh("secret-token", WEEK)).contains("secret-token"));
    }

    // attack 69: browsers drop a cookie whose name and value are over 4096 bytes
    #[test]
    fn a_refresh_cookie_of_the_usual_length_fits_into_a_browser() {
        let header = https(|_| ()).set_refresh(&"a".repeat(700), WEEK);
        assert!(header.len() < 1024);
    }

    // attack 54
    #[test]
    fn all_cookies_of_the_name_are_read_over_all_headers_and_none_wins() {
        let headers =
            headers(&[b"a=1; refreshtoken=one;refreshtoken=two", b"refreshtoken=three;   refreshtoken=4"]);
        let values: Vec<&[u8]> = vec![b"one", b"two", b"three", b"4"];
        assert_eq!(plain().refresh_values(&headers), Ok(values));
        assert_eq!(plain().refresh_values(&HeaderMap::new()), Ok(vec![]));
    }

    // attack 56
    #[test]
    fn a_name_that_is_not_ours_to_the_byte_is_another_cookie() {
        let cookies = https(|_| ());
        for pair in [
            "\u{2000}__Host-refreshtoken=x",
            "\u{a0}__Host-refreshtoken=x",
            "\u{feff}__Host-refreshtoken=x",
            "\t__Host-refreshtoken=x",
            "a=1;\t__Host-refreshtoken=x",
            "__hOsT-refreshtoken=x",
            "__Host-RefreshToken=x",
            "__Host-refreshtoken =x",
            "__Host-refreshtoken\u{2000}=x",
            "__Host-refreshtokens=x",
            "=__Host-refreshtoken=x",
            "x=__Host-refreshtoken=x",
            "refreshtoken=x",
            "__Secure-refreshtoken=x",
            "\"__Host-refreshtoken\"=x",
            "__Host-refreshtoken",
            "__Host-refreshtoken,x=y",
            "$Version=1",
            "",
            ";;; ;",
        ] {
            assert_eq!(cookies.refresh_values(&headers(&[pair.as_bytes()])), Ok(vec![]), "{pair:?}");
        }
    }

    // attack 56: so a quoted token is none, and is told so.
    #[test]
    fn a_value_is_handed_on_to_the_byte_and_an_empty_one_is_none() {
        for value in ["\"x\"", "a b", "a,b", "a=b", "a\\b", "a%2eb", "ä", "\u{2000}x", " x", "x\t"] {
            let sent = format!("refreshtoken=; refreshtoken={value}");
            assert_eq!(plain().refresh_values(&headers(&[sent.as_bytes()])), Ok(vec![value.as_bytes()]));
        }
        let legacy = headers(&[b"$Version=1; refreshtoken=\"x\"; $Path=/; refreshtoken=y"]);
        assert_eq!(plain().refresh_values(&legacy), Ok(vec![&b"\"x\""[..], b"y"]));
        assert_eq!(plain().refresh_values(&headers(&[b"refreshtoken=\xff"])), Ok(vec![&b"\xff"[..]]));
    }

    // attack 69
    #[test]
    fn cookies_over_a_limit_are_refused_at_its_exact_byte() {
        let value = |len: usize| format!("refreshtoken={}", "a".repeat(len));
        let read = |sent: &[&[u8]]| plain().refresh_values(&headers(sent)).map(|values| values.len());
        assert_eq!(read(&[value(8192).as_bytes()]), Ok(1));
        assert_eq!(read(&[value(8193).as_bytes()]), Err(TooLarge));
        let others = |len: usize| format!("csrftoken={}", "a".repeat(len - "csrftoken=".len()));
        assert_eq!(read(&[others(16_384).as_bytes()]), Ok(0));
        assert_eq!(read(&[others(16_385).as_bytes()]), Err(TooLarge));
        assert_eq!(read(&[others(8_192).as_bytes(), others(8_193).as_bytes()]), Err(TooLarge));
        let many = ["refreshtoken=x"; 200].join("; ");
        assert_eq!(read(&[many.as_bytes()]), Ok(200));
    }

    #[test]
    fn cookies_that_are_too_large_are_answered_431() {
        assert_eq!(TooLarge.into_response().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(Problem::from(TooLarge).code(), "headers_too_large");
    }

    proptest! {
        // attack 56, attack 99
        #[test]
        fn whatever_stands_around_it_a_token_is_found_and_nothing_else_is_taken_for_one(
            before in "[ -~]{0,40}", after in "(\\$?[;= \"]|refreshtoken|x){0,12}"
        ) {
            let sent = format!("{before}; refreshtoken=a.b.c; {after}");
            let headers = headers(&[sent.as_bytes()]);
            let values = plain().refresh_values(&headers).unwrap();
            prop_assert!(values.contains(&&b"a.b.c"[..]));
            for value in values {
                let pair = [b"refreshtoken=", value].concat();
                let mut pairs = sent.split(';').map(|pair| pair.trim_start_matches(' '));
                prop_assert!(pairs.any(|sent| sent.as_bytes() == pair));
            }
        }

        // attack 99
        #[test]
        fn arbitrary_bytes_are_no_token(
            bytes in prop::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xff_u8, Just(b'\t')], 0..200)
        ) {
            let headers = headers(&[&bytes]);
            prop_assert_eq!(plain().refresh_values(&headers), Ok(vec![]));
        }
    }
}
