//! When to stop: at the first SIGTERM or Ctrl-C in good order, at the second one at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Tells everyone who listens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens to the signals from now on.
    pub(crate) fn at_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            // Nobody listens only when all have stopped already.
            let _ = stop.send(true);
            either(&mut terminate, &mut interrupt).await;
            std::process::exit(1);
        });
        Ok(Self(stopped))
    }

    /// Ready when it is time.
    pub(crate) async fn told(mut self) {
        // An error means that the sender is gone, and with it the runtime.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
