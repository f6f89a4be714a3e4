//! The signed-in user's own profile, password and sessions.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use countersign_core::fields::UserFields;
use countersign_verify::Authenticated;
use http::StatusCode;
use schemars::JsonSchema;
use serde_json::Value;

use super::App;
use super::answers::{self, NO_STORE};
use super::body::JsonBody;
use super::client::ClientOf;
use super::error::Refusal;
use super::to_the_end::to_the_end;
use crate::service::Error;
use crate::service::account::ProfilePatch;
use crate::service::password::Password;

/// What of the profile is to be changed; what is left out stays.
#[derive(JsonSchema)]
pub(crate) struct ProfileChange {
    /// A new e-mail address; needs `password` beside it.
    email: Option<String>,
    /// A new first name.
    first_name: Option<String>,
    /// A new last name.
    last_name: Option<String>,
    /// The current password, when `email` changes.
    password: Option<String>,
}

/// What a change of password takes.
#[derive(JsonSchema)]
pub(crate) struct PasswordChange {
    /// The current password.
    old_password: String,
    /// The new one: 15 to 1024 characters by default, not a known common one, not like the user's own attributes.
    new_password: String,
}

impl ProfileChange {
    pub(crate) fn read(body: &mut JsonBody) -> Result<Self, Refusal> {
        Ok(Self {
            email: body.string("email")?,
            first_name: body.string("first_name")?,
            last_name: body.string("last_name")?,
            password: body.string("password")?,
        })
    }
}

impl PasswordChange {
    pub(crate) fn read(body: &mut JsonBody) -> Result<Self, Refusal> {
        Ok(Self {
            old_password: required(body, "old_password")?,
            new_password: required(body, "new_password")?,
        })
    }
}

pub(crate) async fn profile(State(app): State<App>, claims: Authenticated) -> Result<Response, Refusal> {
    Ok(answers::profile(&app.service.profile(&claims).await?, &app))
}

pub(crate) async fn update_profile(
    State(app): State<App>,
    claims: Authenticated,
    ClientOf(client): ClientOf,
    body: JsonBody,
) -> Result<Response, Refusal> {
    let patch = profile_patch(body, app.service.user_fields())?;
    let user = app.service.update_profile(&claims, patch, &client).await?;
    Ok(answers::profile(&user, &app))
}

pub(crate) async fn change_password(
    State(app): State<App>,
    claims: Authenticated,
    ClientOf(client): ClientOf,
    mut body: JsonBody,
) -> Result<Response, Refusal> {
    to_the_end(async move {
        let PasswordChange { old_password, new_password } = PasswordChange::read(&mut body)?;
        // A password that is too long is none that anyone has, and none that anyone may choose.
        let new = Password::new(new_password)
            .map_err(|too_long| Error::InvalidPassword(vec![too_long.to_string()]))?;
        let old = Password::new(old_password).map_err(|_| Error::WrongPassword)?;
        let signed_in = app.service.change_password(&claims, old, new, &client).await?;
        Ok(answers::signed_in(signed_in, &app))
    })
    .await
}

pub(crate) async fn sessions(State(app): State<App>, claims: Authenticated) -> Result<Response, Refusal> {
    let sessions = app.service.sessions(&claims).await?;
    Ok(answers::sessions(sessions, claims.session))
}

pub(crate) async fn end_session(
    State(app): State<App>,
    claims: Authenticated,
    ClientOf(client): ClientOf,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    to_the_end(async move {
        // What isn't even text is no id either.
        let session = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(Error::NotFound)?;
        app.service.end_own_session(&claims, session, &client).await?;
        Ok(([NO_STORE], StatusCode::NO_CONTENT).into_response())
    })
    .await
}

pub(crate) async fn end_sessions(
    State(app): State<App>,
    claims: Authenticated,
    ClientOf(client): ClientOf,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    to_the_end(async move {
        let also_current = query.is_some_and(|query| query.split('&').any(|pair| pair == "all=true"));
        app.service.end_own_sessions(&claims, also_current, &client).await?;
        Ok(([NO_STORE], StatusCode::NO_CONTENT).into_response())
    })
    .await
}

fn required(body: &mut JsonBody, field: &'static str) -> Result<String, Refusal> {
    match body.string(field)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Error::field(field, "This field is required.").into()),
    }
}

/// Reads a change of profile. Whatever else stands in it is taken for a custom field, and refused by name if it is none.
fn profile_patch(mut body: JsonBody, declared: &UserFields) -> Result<ProfilePatch, Refusal> {
    let ProfileChange { email, first_name, last_name, password } = ProfileChange::read(&mut body)?;
    let password = password.map(Password::new).transpose().map_err(|_| Error::WrongPassword)?;
    let names: Vec<String> = body.rest().map(str::to_owned).collect();
    let fields = names.into_iter().map(|name| {
        // What is no field may be a password with a misspelt name: it stays in the body, to be wiped.
        let value = declared.get(&name).and_then(|spec| body.value(&spec.name));
        (name, value.unwrap_or(Value::Null))
    });
    let fields = fields.collect();
    Ok(ProfilePatch { email, first_name, last_name, fields, password })
}
