//! Serves the example on http://localhost:8000, with its data in ./embedded-data.

use countersign::Countersign;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let countersign = Countersign::builder()
        .data_dir("./embedded-data")
        .public_url("http://localhost:8000")?
        .allowed_origin("http://localhost:3000")?
        .build()
        .await?;
    let app = embedded::app(&countersign);
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    let stop = async {
        // Without a signal handler the service would stop at once, so an error there is waited out.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    countersign.serve(listener, app, stop).await?;
    Ok(())
}
