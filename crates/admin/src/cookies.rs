//! The site's two cookies: the session's token, and the word that tells the next page what was done.
//!
//! `Path=/admin` keeps them from the API and from pages beside it; with that, `__Host-` can't be had, and `__Secure-` is
//! what is left. A sibling host could toss a second session cookie: then none counts, whichever came first.

use countersign::core::admin::AdminSessionId;
use http::{HeaderMap, HeaderValue, header};

/// The site's cookies, as the public URL wants them.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    session: String,
    notice: String,
    transport: &'static str,
}

impl Cookies {
    pub(crate) fn new(https: bool) -> Self {
        let (prefix, transport) = if https { ("__Secure-", "; Secure") } else { ("", "") };
        Self {
            session: format!("{prefix}countersign_admin"),
            notice: format!("{prefix}countersign_admin_notice"),
            transport,
        }
    }

    /// The session that a request names, if it names one.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<AdminSessionId> {
        only(headers, &self.session).map(AdminSessionId::of)
    }

    /// What the page before this one did.
    pub(crate) fn notice<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        only(headers, &self.notice).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// It ends with the browser, and on the server earlier.
    pub(crate) fn set_session(&self, token: &str) -> HeaderValue {
        self.header(&self.session, token, "")
    }

    pub(crate) fn clear_session(&self) -> HeaderValue {
        self.header(&self.session, "", "; Max-Age=0")
    }

    pub(crate) fn set_notice(&self, notice: &str) -> HeaderValue {
        self.header(&self.notice, notice, "; Max-Age=60")
    }

    pub(crate) fn clear_notice(&self) -> HeaderValue {
        self.header(&self.notice, "", "; Max-Age=0")
    }

    fn header(&self, name: &str, value: &str, life: &str) -> HeaderValue {
        let transport = self.transport;
        let header = format!("{name}={value}; Path=/admin; HttpOnly; SameSite=Strict{life}{transport}");
        // Tokens are base64url, and notices our own words.
        let mut header = HeaderValue::try_from(header).unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// The value of the only cookie of this name, byte for byte; several are none.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs =
        headers.get_all(header::COOKIE).into_iter().flat_map(|value| value.as_bytes().split(|&b| b == b';'));
    let mut values = pairs.filter_map(|pair| {
        let start = pair.iter().position(|&byte| byte != b' ')?;
        pair.get(start..)?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    });
    let value = values.next().filter(|value| !value.is_empty() && value.len() <= 256)?;
    if values.next().is_some() { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|text| (header::COOKIE, HeaderValue::from_str(text).unwrap())).collect()
    }

    // attack 55
    #[test]
    fn no_script_and_no_other_site_gets_at_them_and_on_https_nobody_on_the_way() {
        assert_eq!(
            Cookies::new(true).set_session("t"),
            "__Secure-countersign_admin=t; Path=/admin; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            Cookies::new(false).clear_session(),
            "countersign_admin=; Path=/admin; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }

    // attack 54
    #[test]
    fn of_two_session_cookies_none_counts() {
        let cookies = Cookies::new(false);
        let one = cookies.session(&sent(&["a=b; countersign_admin=t"]));
        assert_eq!(one, Some(AdminSessionId::of(b"t")));
        assert_eq!(cookies.session(&sent(&["countersign_admin=t; countersign_admin=u"])), None);
        assert_eq!(cookies.session(&sent(&["countersign_admin=t", "countersign_admin=t"])), None);
        assert_eq!(cookies.session(&sent(&["countersign_admin="])), None);
        assert_eq!(cookies.session(&sent(&["xcountersign_admin=t", "Countersign_admin=t"])), None);
    }
}
