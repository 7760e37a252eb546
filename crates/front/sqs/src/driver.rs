//! Sockets: bounds and ends connections, and reads the bodies of requests.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Request as HttpRequest,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use stele_core_broker::Broker;
use stele_front_accept::{self as accept, Accepted, Limits, Stop};
use stele_wire_sqs::{Error, ErrorKind};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{
    Settings,
    front::Front,
    limits::{BODIES_BYTES_MAX, BODY_BYTES_MAX, BODY_UNCOUNTED_BYTES_MAX, HEAD_BYTES_MAX},
    metered::Metered,
    session::{self, Answer, Client},
};

/// What one permit for bodies stands for, so that all of them fit a semaphore's count.
const PERMIT_BYTES: usize = 1024;

/// Serves `listener` until `shutdown` turns true; then ends waits, finishes the requests in flight
/// and returns.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) {
    let stop = Stop::from(shutdown);
    let connections_max = settings.connections_max;
    let server = Arc::new(Server {
        front: Front::new(broker, settings, stop.clone()),
        bodies: Semaphore::new(BODIES_BYTES_MAX / PERMIT_BYTES),
    });
    let limits = Limits {
        front: "sqs",
        connections_max,
        drain_max: None,
        meter: Some(Arc::clone(&server.front.meter)),
    };
    accept::serve(listener, limits, stop, |accepted| {
        Arc::clone(&server).connection(accepted)
    })
    .await;
}

/// What all connections share.
struct Server {
    front: Front,
    /// Room for the bodies that are being read or answered.
    bodies: Semaphore,
}

impl Server {
    async fn connection(self: Arc<Self>, accepted: Accepted) {
        let Accepted {
            stream,
            principal,
            local,
            mut stop,
        } = accepted;
        let peer = principal.address;
        let client = Client { principal, local };
        let meter = &self.front.meter;
        let stream = Metered::new(stream, Arc::clone(meter));
        let service = service_fn(|request| {
            let answer = self.answer(request, &client);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.front.settings.head_timeout)
            .max_header_size(HEAD_BYTES_MAX)
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
            // Not HTTP, or too slow; a client that has gone has its right to.
            if error.is_parse() || error.is_timeout() {
                meter.connection_error();
            }
            tracing::debug!(%peer, %error, "sqs: connection ended");
        }
    }

    async fn answer(&self, request: HttpRequest<Incoming>, client: &Client) -> Answer {
        let (head, body) = request.into_parts();
        if length_of(&body).is_some_and(|length| length > BODY_BYTES_MAX) {
            return self.refuse(&head, too_large());
        }
        // The room is kept until the request is answered: what it decodes to is as large.
        let _room = self.room_for(&body).await;
        match read(body, self.front.settings.body_timeout).await {
            Ok(body) => session::answer(&self.front, &head, body, client).await,
            Err(error) => self.refuse(&head, error),
        }
    }

    fn refuse(&self, head: &Parts, error: Error) -> Answer {
        let mut answer = session::refuse(&self.front, head, error);
        // The rest of the body isn't read, so no request can follow it.
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
        answer
    }

    /// Waits for room for a body. One of unknown length may get as long as any; a short one needs
    /// no room, so that many long ones don't keep it waiting.
    async fn room_for(&self, body: &Incoming) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let bytes = length_of(body).unwrap_or(BODY_BYTES_MAX);
        if bytes <= BODY_UNCOUNTED_BYTES_MAX {
            return None;
        }
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).ok()?;
        self.bodies.acquire_many(permits).await.ok()
    }
}

async fn read(body: Incoming, within: Duration) -> Result<Bytes, Error> {
    let read = timeout(within, Limited::new(body, BODY_BYTES_MAX).collect());
    match read.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(malformed(&format!("its body can't be read: {error}"))),
        Err(_) => Err(malformed("its body took too long")),
    }
}

/// The length of a body, where its request tells it.
fn length_of(body: &Incoming) -> Option<usize> {
    let length = body.size_hint().exact()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::RequestTooLarge,
        format!("A request can't be longer than {BODY_BYTES_MAX} bytes."),
    )
}

fn malformed(reason: &str) -> Error {
    Error::new(
        ErrorKind::MalformedRequest,
        format!("The request can't be read: {reason}."),
    )
}
