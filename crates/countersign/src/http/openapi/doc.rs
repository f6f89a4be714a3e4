//! What a row of the table of routes says for `openapi.json`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::http::code::Code;

/// The documentation of a route: what its row doesn't say already.
pub(crate) struct Doc {
    /// A name for programs that are made from the document.
    pub(crate) id: &'static str,
    pub(crate) tag: Tag,
    /// A few words, without a full stop.
    pub(crate) summary: &'static str,
    /// Markdown: paragraphs, lists of one level, `code` and **strong**; `/docs` shows no more than that.
    pub(crate) description: &'static str,
    /// The credentials of a public route, as alternatives. (A private one takes an access token.)
    pub(crate) takes: &'static [&'static [Credential]],
    pub(crate) parameters: &'static [Parameter],
    pub(crate) body: Option<Body>,
    pub(crate) answer: Answer,
    /// Which refusals are this route's own; those of every route of its kind are added.
    pub(crate) refusals: &'static [Code],
}

/// What the routes are grouped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    Sessions,
    Accounts,
    Tokens,
    Operations,
}

/// What says who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Credential {
    AccessToken,
    RefreshCookie,
    CsrfHeader,
}

/// What a request brings beside its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parameter {
    CsrfToken,
    IdempotencyKey,
    SessionId,
    All,
    Asset,
}

/// A body that a route takes.
pub(crate) struct Body {
    /// Whether it has to be there.
    pub(crate) required: bool,
    pub(crate) json: Json,
}

/// A JSON value, by its type.
pub(crate) struct Json {
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) example: fn() -> Value,
}

/// The answer when all goes well.
pub(crate) struct Answer {
    pub(crate) description: &'static str,
    pub(crate) content: Content,
    pub(crate) cookies: SetsCookies,
}

/// What an answer holds.
pub(crate) enum Content {
    /// Nothing: `204`.
    Nothing,
    /// JSON.
    Json(Json),
    /// A file of these types, which a client may keep and ask after: `304` if it is the same.
    File(&'static [&'static str]),
}

/// What an answer does with the cookies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetsCookies {
    None,
    Both,
    Csrf,
    ClearsBoth,
}

/// A type of the wire, with an example of it.
pub(crate) trait Documented: JsonSchema {
    fn example() -> Value;
}

impl Json {
    pub(crate) const fn of<T: Documented>() -> Self {
        Self { schema: SchemaGenerator::subschema_for::<T>, example: T::example }
    }
}

impl Body {
    pub(crate) const fn required<T: Documented>() -> Self {
        Self { required: true, json: Json::of::<T>() }
    }

    pub(crate) const fn optional<T: Documented>() -> Self {
        Self { required: false, json: Json::of::<T>() }
    }
}

impl Answer {
    pub(crate) const fn json<T: Documented>(description: &'static str) -> Self {
        Self { description, content: Content::Json(Json::of::<T>()), cookies: SetsCookies::None }
    }

    pub(crate) const fn nothing(description: &'static str) -> Self {
        Self { description, content: Content::Nothing, cookies: SetsCookies::None }
    }

    pub(crate) const fn file(description: &'static str, kinds: &'static [&'static str]) -> Self {
        Self { description, content: Content::File(kinds), cookies: SetsCookies::None }
    }

    pub(crate) const fn and(mut self, cookies: SetsCookies) -> Self {
        self.cookies = cookies;
        self
    }
}

impl Tag {
    pub(crate) const ALL: [Self; 4] = [Self::Sessions, Self::Accounts, Self::Tokens, Self::Operations];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Accounts => "Accounts",
            Self::Tokens => "Tokens",
            Self::Operations => "Operations",
        }
    }

    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Sessions => {
                "From login to logout: how a client gets its tokens, renews them and gives them up."
            }
            Self::Accounts => "The signed-in user's own profile and password.",
            Self::Tokens => "What other services need to verify access tokens by themselves.",
            Self::Operations => "For whoever runs the server, and whoever reads about it.",
        }
    }
}
