//! The admin site of Countersign, at `/admin/`, and the page of links that set a password.
//!
//! Pages are rendered on the server; each handler lies beside its template. They work without JavaScript, and get
//! better with a little of our own. All that they show and do goes through `countersign::service`, which decides who may.
//!
//! - [`routes`]: one table of every page: who may open it, with which right.
//! - `guard`: who is signed in, whether a form was given to them, whether the password is to be asked for again.
//! - `shell`: what every page has around it; `answer`: how a page becomes an answer, and what a refusal looks like.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let countersign = countersign::Countersign::builder().build().await?;
//! let router = countersign.whole().merge(countersign_admin::AdminSite::new().router(&countersign));
//! # drop(router);
//! # Ok(())
//! # }
//! ```

mod answer;
mod app;
mod assets;
mod audit;
mod cookies;
mod fields;
mod form;
mod groups;
mod guard;
mod keys;
mod list;
mod overview;
mod password;
pub mod routes;
mod sessions;
mod set_up;
mod shell;
mod sign_in;
mod texts;
mod users;

use axum::Router;
use countersign::Countersign;
use countersign::core::origin::PublicUrl;

use self::app::App;

/// The admin site, to be mounted beside the API.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AdminSite {
    warnings: Vec<Warning>,
}

/// Something about how the server is set up that its admins are to know.
#[derive(Clone, Debug)]
pub struct Warning {
    /// The setting that it is about.
    pub setting: String,
    /// What isn't as it should be.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl AdminSite {
    /// A site that warns of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows these on the first page, to superusers.
    pub fn warning_of(mut self, warnings: impl IntoIterator<Item = Warning>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The pages, behind all their layers, to be merged with the routes of the API.
    pub fn router(self, countersign: &Countersign) -> Router {
        let app = App::new(countersign.service().clone(), self.warnings);
        countersign.pages(routes::router(&app))
    }
}

/// The link under which the first superuser is made.
pub fn set_up_link(public_url: &PublicUrl, token: &str) -> String {
    format!("{}{}/{token}", public_url.as_str().trim_end_matches('/'), routes::SET_UP)
}
