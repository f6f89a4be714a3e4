//! `countersign serve`: binds, says where, and serves until it is told to stop.

use std::net::SocketAddr;

use countersign::Countersign;
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
    let router = countersign.whole();
    countersign.serve(listener, router, stop.told()).await?;
    info!("stopped");
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
