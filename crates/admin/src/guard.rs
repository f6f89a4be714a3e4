//! What stands before every page. In this order, and the first that fails answers:
//!
//! 1. A post comes from a page of ours. The layer around us has judged `Origin` and `Sec-Fetch-Site`; here it has to have
//!    one of them at all, since every browser sends one, and forms that are open to everyone have no other guard.
//! 2. Somebody is signed in: else the way to the sign-in page.
//! 3. The form was given to this very session.
//! 4. They have the right that the page asks for. (`service` asks again, and decides.)
//! 5. For what can't be undone or lifts somebody: the password was given lately. Else it is asked for, with the form kept;
//!    the same form comes again with the password beside it.

use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use countersign::core::BuiltIn;
use countersign::core::Client;
use countersign::core::csrf::CsrfToken;
use countersign::service::admin::AdminUser;
use countersign::service::password::Password;
use countersign::service::people::{Actor, People};
use countersign::service::{Error, User};
use countersign::verify::is_unsafe;
use http::request::Parts;
use http::{HeaderName, header};

use crate::answer::{Refused, see_other};
use crate::app::App;
use crate::form::Fields;
use crate::routes::{Access, SIGN_IN};
use crate::shell::proof;
use crate::texts::Notice;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The field that every form carries.
pub(crate) const CSRF: &str = "csrf";
/// The field of a password that is given again.
pub(crate) const PROOF: &str = "proof";
/// The most bytes of a form; the layer around us has a limit of its own, which is smaller by default.
const FORM_MAX: usize = 1024 * 1024;

/// Guards one route.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: App,
    pub(crate) access: Access,
}

/// Somebody who is signed in and looks at a page, as an extractor.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) staff: AdminUser,
    /// The same, with what they may do at this moment.
    pub(crate) actor: Actor,
    pub(crate) client: Client,
    pub(crate) csrf: CsrfToken,
    pub(crate) notice: Option<Notice>,
}

impl Visit {
    pub(crate) fn user(&self) -> &User {
        &self.staff.user
    }

    /// Whether they have this right.
    pub(crate) fn may(&self, right: BuiltIn) -> bool {
        self.actor.may(right)
    }

    fn log_refusal(&self, why: &str) {
        let (user, ip) = (self.user().id.0, self.client.ip.map(tracing::field::display));
        tracing::warn!(target: "countersign::security", event = "admin_refused", user, ip, why);
    }

    /// The use cases, as they may use them.
    pub(crate) fn people<'a>(&'a self, app: &'a App) -> People<'a> {
        app.service().people(&self.actor)
    }
}

pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let cookies = guard.app.cookies();
    let has_notice = cookies.notice(request.headers()).is_some();
    let mut response = match guard.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    // A page has told it. A redirect leaves it to the next one, or has set another; an asset tells nothing.
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if has_notice && is_page {
        response.headers_mut().append(header::SET_COOKIE, cookies.clear_notice());
    }
    response
}

impl Guard {
    async fn admit(&self, request: Request) -> Result<Request, Response> {
        let (mut parts, body) = request.into_parts();
        let changes = is_unsafe(&parts.method);
        let mut fields = if changes {
            let from_a_page =
                parts.headers.contains_key(header::ORIGIN) || parts.headers.contains_key(SEC_FETCH_SITE);
            if !from_a_page || !Fields::is_form(&parts.headers) {
                return Err(Refused::NotFromAPage.into_response());
            }
            let body = to_bytes(body, FORM_MAX).await.map_err(|_| Refused::NotFromAPage.into_response())?;
            Fields::parse(&body)
        } else {
            Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())
        }
        .map_err(IntoResponse::into_response)?;
        if let Access::Staff { right, proved } = self.access {
            let visit = self.visit(&parts).await?;
            if changes && !self.app.service().admin_csrf_is_right(&visit.staff, fields.text(CSRF)) {
                visit.log_refusal("the form is of another session");
                return Err(Refused::OtherForm.into_response());
            }
            if !right.is_none_or(|right| visit.may(right)) {
                visit.log_refusal("they lack the permission");
                return Err(Refused::NoRight.into_response());
            }
            let proof = fields.take(PROOF);
            if proved && !self.app.service().admin_is_proved(&visit.staff) {
                self.prove(&visit, proof, &fields, &parts).await?;
            }
            parts.extensions.insert(visit);
        }
        parts.extensions.insert(fields);
        Ok(Request::from_parts(parts, axum::body::Body::empty()))
    }

    /// Who is signed in.
    async fn visit(&self, parts: &Parts) -> Result<Visit, Response> {
        let (service, cookies) = (self.app.service(), self.app.cookies());
        let staff = match cookies.session(&parts.headers) {
            Some(id) => {
                service.admin_session(id).await.map_err(|error| Refused::from(error).into_response())?
            }
            None => None,
        };
        let Some(staff) = staff else { return Err(self.to_sign_in(parts)) };
        let Some(csrf) = service.admin_csrf(&staff) else {
            return Err(Refused::UnguardedRoute.into_response());
        };
        let client: Client = parts.extensions.get().cloned().unwrap_or_default();
        let actor = match service.staff(staff.user.id, client.ip).await {
            Ok(actor) => actor,
            Err(Error::Denied(_)) => return Err(self.to_sign_in(parts)),
            Err(error) => return Err(Refused::from(error).into_response()),
        };
        let notice = cookies.notice(&parts.headers).and_then(Notice::parse);
        Ok(Visit { staff, actor, client, csrf, notice })
    }

    /// After the sign-in a page that was asked for is shown. What a form wanted to do isn't done then.
    fn to_sign_in(&self, parts: &Parts) -> Response {
        let cookies = self.app.cookies();
        let mut response = if is_unsafe(&parts.method) {
            see_other(SIGN_IN, cookies, Some(Notice::SessionOver))
        } else {
            let wanted = parts.uri.path_and_query().map_or("/admin/", http::uri::PathAndQuery::as_str);
            let wanted: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
            see_other(&format!("{SIGN_IN}?next={wanted}"), cookies, None)
        };
        if cookies.session(&parts.headers).is_some() {
            response.headers_mut().append(header::SET_COOKIE, cookies.clear_session());
        }
        response
    }

    async fn prove(
        &self,
        visit: &Visit,
        proof: Option<String>,
        fields: &Fields,
        parts: &Parts,
    ) -> Result<(), Response> {
        let ask = |problem| proof::page(visit, fields, parts.uri.path(), problem);
        let Some(proof) = proof else { return Err(ask(None)) };
        let Ok(password) = Password::new(proof) else { return Err(ask(Some(&Error::WrongPassword))) };
        match self.app.service().admin_prove(&visit.staff, password, &visit.client).await {
            Ok(()) => Ok(()),
            Err(error @ (Error::WrongPassword | Error::Throttled(_) | Error::Overloaded)) => {
                Err(ask(Some(&error)))
            }
            Err(error) => Err(Refused::from(error).into_response()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get::<Self>().cloned().ok_or(Refused::UnguardedRoute)
    }
}
