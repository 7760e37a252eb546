//! Sockets: limits and closes connections.

use std::{convert::Infallible, sync::Arc};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use stele_front_accept::{self as accept, Accepted, Impatient, Limits, Listening};
use tokio::sync::watch;

use crate::{
    limits::{CONNECTIONS_MAX, DRAIN_TIMEOUT, HEAD_BYTES_MAX, HEAD_TIMEOUT},
    router,
    settings::Settings,
    state::State,
};

/// Serves `listening` until `shutdown` becomes true, then finishes the requests in flight.
pub async fn serve(
    state: Arc<State>,
    settings: Settings,
    listening: impl Into<Listening>,
    shutdown: watch::Receiver<bool>,
) {
    let limits = Limits {
        front: "admin",
        connections_max: CONNECTIONS_MAX,
        sockets: settings.sockets.clone(),
        // A client that hasn't sent a whole request by then is cut off.
        drain_max: Some(DRAIN_TIMEOUT),
        meter: None,
    };
    let settings = Arc::new(settings);
    accept::serve(listening, limits, shutdown.into(), |accepted| {
        connection(accepted, Arc::clone(&state), Arc::clone(&settings))
    })
    .await;
}

async fn connection(accepted: Accepted, state: Arc<State>, settings: Arc<Settings>) {
    let Accepted {
        stream,
        principal,
        mut stop,
        ..
    } = accepted;
    let serving = state.serving().ok();
    let memory = serving.map(|it| it.broker.memory().clone());
    let stream = Impatient::new(stream, memory);
    let first = stream.first_octets();
    let service = service_fn(|request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let (state, settings, client) = (&state, &settings, &principal);
        async move {
            let answer = router::answer(state, settings, client, &head, body).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        accept::log_http_end("admin", principal.address, &first, &error);
    }
}

#[cfg(test)]
mod tests;
