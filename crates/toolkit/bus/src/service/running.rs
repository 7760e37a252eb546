//! A service that runs.

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};

use crate::TransportError;

/// A service that runs. Dropping it ends it as a crash would: what it has begun is undone, and its
/// messages come again.
#[must_use = "dropping it ends the service at once"]
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), TransportError>>,
}

/// A service ended in another way than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The broker can't be told what is done. What it wasn't told comes again.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The toolkit's own code panicked.
    #[error("the service ended by a panic: {0}")]
    Panicked(#[from] JoinError),
    /// The process can't listen for signals.
    #[error("listening for signals: {0}")]
    Signals(#[source] std::io::Error),
}

impl Running {
    pub(super) fn new(
        stop: watch::Sender<bool>,
        task: JoinHandle<Result<(), TransportError>>,
    ) -> Self {
        Self { stop, task }
    }

    /// Takes no more messages, finishes those that were begun, acknowledges them, and leaves the
    /// others to whoever comes next. What waits for the database is left, too.
    pub async fn stop(mut self) -> Result<(), StopError> {
        self.stop.send_replace(true);
        (&mut self.task).await??;
        Ok(())
    }

    /// Returns when the service has ended by itself: its subscription can't go on.
    pub async fn ended(&mut self) -> Result<(), StopError> {
        (&mut self.task).await??;
        Ok(())
    }

    /// Runs until the process is asked to end, and stops then.
    pub async fn until_asked_to_end(mut self) -> Result<(), StopError> {
        let asked = asked_to_end().map_err(StopError::Signals)?;
        tokio::select! {
            ended = self.ended() => return ended,
            () = asked => {}
        }
        self.stop().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens for signals. What it returns ends when the process is asked to end: by SIGINT or
/// SIGTERM.
///
/// # Errors
///
/// If the process can't listen for signals.
#[cfg(unix)]
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens for signals. What it returns ends when the process is asked to end: by Ctrl-C.
///
/// # Errors
///
/// If the process can't listen for signals.
#[cfg(not(unix))]
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
