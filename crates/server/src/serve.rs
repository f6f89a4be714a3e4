//! `countersign serve`: binds, says where, and serves until it is told to stop.

use std::net::SocketAddr;

use axum::Router;
use countersign::Countersign;
use countersign_admin::{AdminSite, Warning, set_up_link};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::check;
use crate::config::Config;
use crate::outcome::{Failure, say};
use crate::stop::Stop;

/// Serves the API, and the metrics if they have an address.
pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    let stop = Stop::at_signals()?;
    let listener = bind("listen", config.program.listen).await?;
    let metrics = match config.program.metrics_listen {
        Some(address) => Some(bind("metrics_listen", address).await?),
        None => None,
    };
    for warning in check::warnings(&config) {
        warn!("{warning}");
    }
    let address = listener.local_addr()?;
    let site = admin_site(&config);
    let countersign = Countersign::builder().settings(config.settings_on(address.port())).build().await?;
    if let Some(metrics) = metrics {
        info!(address = %metrics.local_addr()?, "metrics");
        tokio::spawn(countersign::http::serve::serve(
            metrics,
            countersign.metrics_router(),
            stop.clone().told(),
        ));
    }
    info!(
        version = env!("CARGO_PKG_VERSION"),
        public_url = %countersign.service().settings().public_url,
        "ready"
    );
    say(&format!("listening on http://{address}"));
    say_how_to_set_up(&countersign).await?;
    let router = whole(&countersign, site);
    countersign.serve(listener, router, stop.told()).await?;
    info!("stopped");
    Ok(())
}

/// The API, and the admin site beside it.
pub(crate) fn whole(countersign: &Countersign, site: AdminSite) -> Router {
    countersign.whole().merge(site.router(countersign))
}

/// The admin site, with what `check --deploy` finds.
pub(crate) fn admin_site(config: &Config) -> AdminSite {
    let warnings = check::deploy::findings(config).into_iter().map(|finding| Warning {
        setting: finding.setting.to_owned(),
        problem: finding.problem,
        remedy: finding.remedy,
    });
    AdminSite::new().warning_of(warnings)
}

/// Prints the link under which the first superuser is made, where there is none: to standard output alone, like the
/// address, and never to the log, which may be kept, sent on and read by others.
async fn say_how_to_set_up(countersign: &Countersign) -> Result<(), Failure> {
    let service = countersign.service();
    if let Some(token) = service.new_setup_token().await? {
        let link = set_up_link(&service.settings().public_url, &token);
        say(&format!(
            "there is no superuser yet; make one within 15 minutes (the link counts once):\n  {link}"
        ));
    }
    Ok(())
}

/// Takes an address of a setting.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Refused(format!(
            "{setting}: {address} can't be listened on ({error}); free it, or write another, such as 127.0.0.1:0 for \
             any free port"
        ))
    })
}
