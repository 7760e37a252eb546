//! Sockets: limits and closes connections, and reads request bodies.

use std::{convert::Infallible, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    Request as HttpRequest,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use stele_core_broker::{Broker, Kind};
use stele_front_accept::{self as accept, Accepted, Effect, Limits, Listening, Receiving, Stop};
use stele_wire_sqs::{Error, ErrorKind};
use tokio::{sync::watch, time::timeout};

use crate::{
    Settings,
    front::Front,
    limits::{BODY_BYTES_MAX, BODY_UNCOUNTED_BYTES_MAX, HEAD_BYTES_MAX},
    metered::Metered,
    session::{self, Answer, Client},
    signature,
};

/// Serves `listening` until `shutdown` becomes true; then ends waiting receives, finishes the
/// requests in flight and returns.
pub async fn serve(
    broker: Broker,
    settings: Settings,
    listening: impl Into<Listening>,
    shutdown: watch::Receiver<bool>,
) {
    let stop = Stop::from(shutdown);
    let (connections_max, sockets) = (settings.connections_max, settings.sockets.clone());
    let server = Arc::new(Server {
        front: Front::new(broker, settings, stop.clone()),
    });
    let limits = Limits {
        front: "sqs",
        connections_max,
        sockets,
        drain_max: None,
        meter: Some(Arc::clone(&server.front.meter)),
    };
    accept::serve(listening, limits, stop, |accepted| {
        Arc::clone(&server).connection(accepted)
    })
    .await;
}

/// The state shared by all connections.
struct Server {
    front: Front,
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
        let client = Client::new(principal, local);
        let meter = &self.front.meter;
        let stream = Metered::new(
            stream,
            Arc::clone(meter),
            self.front.broker.memory().clone(),
        );
        let first = stream.first_octets();
        // Each connection has room for an answer being made, also while it rests: one future, not
        // another one round it, which would take as much again.
        let service = service_fn(|request| self.answer(request, &client));
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
        if let Err(error) = outcome
            && accept::log_http_end("sqs", peer, &first, &error)
        {
            meter.connection_error();
        }
    }

    async fn answer(
        &self,
        request: HttpRequest<Incoming>,
        client: &Client,
    ) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        let bytes = length_of(&body).unwrap_or(BODY_BYTES_MAX);
        if bytes > BODY_BYTES_MAX {
            return Ok(self.refuse(&head, too_large()));
        }
        let takes_room = bytes > BODY_UNCOUNTED_BYTES_MAX;
        let admitted = self.admit(&head, takes_room, client);
        if takes_room && let Err(error) = admitted {
            return Ok(self.refuse(&head, error));
        }
        // The memory is held until the response, because the decoded request is as large as the
        // body.
        let mut room = self.room(client);
        let within = self.front.settings.body_timeout;
        let read = timeout(within, read(body, &mut room)).await;
        Ok(match read.unwrap_or_else(|_| Err(too_slow())) {
            Ok(body) => match admitted {
                Ok(()) => session::answer(&self.front, head, body, client).await,
                // The client has sent the whole request and waits for the response.
                Err(error) => session::refuse(&self.front, &head, error),
            },
            Err(error) => self.refuse(&head, error),
        })
    }

    /// Memory for a body. Clients that must authenticate and haven't yet share a small pool.
    fn room(&self, client: &Client) -> Receiving {
        let kind = match self.front.settings.credentials.is_empty() || client.is_known() {
            true => Kind::Requests,
            false => Kind::UnknownClients,
        };
        Receiving::new(self.front.broker.memory().clone(), kind)
    }

    /// If no signature is required, refuses web pages of other sites. If one is required, the
    /// request must name a valid key before its body takes memory that others could use.
    fn admit(&self, head: &Parts, takes_room: bool, client: &Client) -> Result<(), Error> {
        let settings = &self.front.settings;
        if settings.credentials.is_empty() {
            let checked = settings.hosts.check(head, Effect::Changes);
            return checked
                .map_err(|foreign| Error::new(ErrorKind::AccessDenied, foreign.to_string()));
        }
        if takes_room {
            let checked = signature::check_claim(settings, head, self.front.calendar());
            checked.inspect_err(|error| session::log_failed_login(client, head, error))?;
        }
        Ok(())
    }

    fn refuse(&self, head: &Parts, error: Error) -> Answer {
        let mut answer = session::refuse(&self.front, head, error);
        // The rest of the body isn't read, so the connection can't carry another request.
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
        answer
    }
}

/// Reads a body. Memory is reserved as bytes arrive, except for the size that every connection may
/// use without a reservation.
async fn read(mut body: Incoming, room: &mut Receiving) -> Result<Bytes, Error> {
    let length = length_of(&body);
    let mut read = BytesMut::new();
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = room.is_late(read.len()) => return Err(too_slow()),
        };
        let Some(frame) = frame else {
            return Ok(read.freeze());
        };
        let frame =
            frame.map_err(|error| malformed(&format!("its body can't be read: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let size_bytes = read.len() + data.len();
        if size_bytes > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if size_bytes > BODY_UNCOUNTED_BYTES_MAX && !room.try_cover(size_bytes) {
            room.cover(length.unwrap_or(BODY_BYTES_MAX)).await;
        }
        read.extend_from_slice(&data);
        room.received(read.len());
    }
}

fn too_slow() -> Error {
    malformed("its body took too long")
}

/// The length of a body, if the request declares it.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How large what an asynchronous function returns is.
    fn size_of_made<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Each connection has room for it, also one that rests.
    #[test]
    fn an_answer_that_is_being_made_is_small() {
        let size = size_of_made(
            |server: &'static Server, request, client: &'static Client| {
                server.answer(request, client)
            },
        );
        assert!(size < 2_560, "{size} bytes");
    }
}
