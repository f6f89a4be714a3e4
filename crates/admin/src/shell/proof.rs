//! The password again, before what can't be undone or lifts somebody. The form is kept, and comes again with it.

use askama::Template;
use axum::response::Response;
use countersign::core::Seconds;
use countersign::service::Error;
use http::{StatusCode, header};

use crate::answer::page_as;
use crate::form::Fields;
use crate::guard::Visit;
use crate::shell::Outside;
use crate::texts::sentence;

#[derive(Template)]
#[template(path = "shell/proof.html")]
struct ProofPage<'a> {
    outside: Outside,
    action: &'a str,
    username: &'a str,
    kept: Vec<(&'a str, &'a str)>,
    problem: Option<String>,
}

/// Asks for it.
pub(crate) fn page(visit: &Visit, fields: &Fields, action: &str, problem: Option<&Error>) -> Response {
    let status = match problem {
        None => StatusCode::OK,
        Some(Error::Throttled(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(Error::Overloaded) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::FORBIDDEN,
    };
    let shown = ProofPage {
        outside: Outside::new(None),
        action,
        username: &visit.user().username,
        kept: fields.iter().collect(),
        problem: problem.map(|error| sentence(&error.to_string())),
    };
    let mut response = page_as(status, &shown);
    if let Some(Error::Throttled(Seconds(wait))) = problem {
        response.headers_mut().insert(header::RETRY_AFTER, (*wait).into());
    }
    response
}
