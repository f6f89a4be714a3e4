//! What the pages share.

use std::sync::Arc;

use countersign::service::Service;

use crate::Warning;
use crate::cookies::Cookies;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    service: Arc<Service>,
    cookies: Cookies,
    warnings: Vec<Warning>,
}

impl App {
    pub(crate) fn new(service: Arc<Service>, warnings: Vec<Warning>) -> Self {
        let cookies = Cookies::new(service.settings().public_url.is_https());
        Self(Arc::new(Shared { service, cookies, warnings }))
    }

    /// The use cases.
    pub(crate) fn service(&self) -> &Service {
        &self.0.service
    }

    pub(crate) fn cookies(&self) -> &Cookies {
        &self.0.cookies
    }

    /// What is shown to superusers on the first page.
    pub(crate) fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }
}
