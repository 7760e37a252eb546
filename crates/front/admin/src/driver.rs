//! Sockets: accepts, bounds, and ends connections.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    limits::{CONNECTIONS_MAX, DRAIN_TIMEOUT, HEAD_BYTES_MAX, HEAD_TIMEOUT},
    router,
    settings::Settings,
    state::State,
};

/// How long to wait after an accept that failed for want of a resource.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves `listener` until `shutdown` turns true, then finishes the requests in flight.
pub async fn serve(
    state: Arc<State>,
    settings: Settings,
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
) {
    let settings = Arc::new(settings);
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // One connection too many is closed at once rather than kept waiting.
                    if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                        let (state, settings) = (Arc::clone(&state), Arc::clone(&settings));
                        let shutdown = shutdown.clone();
                        connections.spawn(connection(stream, permit, state, settings, shutdown));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "admin: can't accept");
                    sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whoever hasn't sent a whole request by then is cut off.
    drop(timeout(DRAIN_TIMEOUT, drained).await);
}

/// Returns once the process stops, or whoever would say so has gone.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await);
}

async fn connection(
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    state: Arc<State>,
    settings: Arc<Settings>,
    mut shutdown: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let (state, settings) = (Arc::clone(&state), Arc::clone(&settings));
        async move { Ok::<_, Infallible>(router::answer(&state, &settings, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => Some(outcome),
        () = stopped(&mut shutdown) => None,
    };
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "admin: connection ended");
    }
}

#[cfg(test)]
mod tests;
