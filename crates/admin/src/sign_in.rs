//! Signing in and out.

use askama::Template;
use axum::extract::State;
use countersign::core::{Client, Seconds};
use countersign::service::Error;
use countersign::service::admin::AdminAttempt;
use countersign::service::password::Password;
use http::{HeaderMap, StatusCode, header};

use axum::Extension;

use crate::answer::{Answer, page_as, see_other};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::routes::SIGN_IN;
use crate::shell::Outside;
use crate::texts::{Notice, sentence};

/// Where one goes who didn't ask for another page.
const FIRST_PAGE: &str = "/admin/";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    outside: Outside,
    username: String,
    next: String,
    problem: Option<String>,
}

/// `GET /admin/sign-in`.
pub(crate) async fn page(State(app): State<App>, headers: HeaderMap, fields: Fields) -> Answer {
    let next = own_path(fields.text("next"));
    if let Some(id) = app.cookies().session(&headers)
        && app.service().admin_session(id).await?.is_some()
    {
        return Ok(see_other(&next, app.cookies(), None));
    }
    let notice = app.cookies().notice(&headers).and_then(Notice::parse);
    let page = SignInPage { outside: Outside::new(notice), username: String::new(), next, problem: None };
    Ok(page_as(StatusCode::OK, &page))
}

/// `POST /admin/sign-in`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    mut fields: Fields,
) -> Answer {
    let client = client.map(|Extension(client)| client).unwrap_or_default();
    let username = fields.text("username").to_owned();
    let next = own_path(fields.text("next"));
    let password = Password::new(fields.take("password").unwrap_or_default());
    let result = match password {
        // One that is too long is nobody's, and nothing is hashed for it.
        Err(_) => Err(Error::InvalidCredentials),
        Ok(_) if username.is_empty() => Err(Error::InvalidCredentials),
        Ok(password) => {
            let replaces = app.cookies().session(&headers);
            let attempt = AdminAttempt { username: username.clone(), password, replaces };
            app.service().admin_sign_in(attempt, &client).await
        }
    };
    let (status, problem, wait) = match result {
        Ok(token) => {
            let mut response = see_other(&next, app.cookies(), None);
            response.headers_mut().append(header::SET_COOKIE, app.cookies().set_session(&token));
            return Ok(response);
        }
        // The same for every cause, a user who isn't staff included: that is the point.
        Err(Error::InvalidCredentials) => (
            StatusCode::UNAUTHORIZED,
            "The name or the password is wrong, or this account may not enter here.".to_owned(),
            None,
        ),
        Err(error @ Error::Throttled(wait)) => {
            (StatusCode::TOO_MANY_REQUESTS, sentence(&error.to_string()), Some(wait))
        }
        Err(error @ Error::Overloaded) => {
            (StatusCode::SERVICE_UNAVAILABLE, sentence(&error.to_string()), Some(Seconds(1)))
        }
        Err(error) => return Err(error.into()),
    };
    let page = SignInPage { outside: Outside::new(None), username, next, problem: Some(problem) };
    let mut response = page_as(status, &page);
    if let Some(Seconds(wait)) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    Ok(response)
}

/// `POST /admin/sign-out`.
pub(crate) async fn sign_out(State(app): State<App>, visit: Visit) -> Answer {
    app.service().admin_sign_out(&visit.staff, &visit.client).await?;
    let mut response = see_other(SIGN_IN, app.cookies(), Some(Notice::SignedOut));
    response.headers_mut().append(header::SET_COOKIE, app.cookies().clear_session());
    Ok(response)
}

/// A path of this site, whatever was asked for.
pub(crate) fn own_path(wanted: &str) -> String {
    let ours = wanted == "/admin" || wanted.starts_with("/admin/") || wanted.starts_with("/admin?");
    let plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let has_dots = wanted.contains("..") || wanted.to_ascii_lowercase().contains("%2e");
    let elsewhere = wanted.starts_with(SIGN_IN) || wanted.contains("//") || has_dots;
    if ours && plain && !elsewhere { wanted.to_owned() } else { FIRST_PAGE.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 74
    #[test]
    fn the_way_on_is_a_path_of_this_site() {
        for own in ["/admin", "/admin/", "/admin/users?q=ana&after=7", "/admin/users/7"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "//evil",
            "/\\evil",
            "\\\\evil",
            "https:evil",
            "https://evil/admin/",
            "/administrator",
            "/adminevil",
            "/accounts/logout",
            "/admin/\\evil",
            "/admin/\r\nSet-Cookie: a=b",
            "/admin//evil",
            "/admin/../evil",
            "/admin/%2e%2E/evil",
            "/admin/.%2E/evil",
            "/admin/sign-in?next=/admin/sign-in",
            " /admin/",
            "javascript:alert(1)",
            "/admin/\u{202e}",
        ] {
            assert_eq!(own_path(other), FIRST_PAGE, "{other}");
        }
    }
}
