//! temp
use axum::Router;
use std::io;
use tokio::net::TcpListener;
/// temp
#[derive(Default, Debug)]
pub struct Limits;
/// temp
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send,
    _: &Limits,
) -> io::Result<()> {
    let stop = async { stop.await };
    let _ = stop;
    axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await
}
