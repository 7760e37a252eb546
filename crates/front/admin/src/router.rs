//! Dispatches requests to operations.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, StatusCode, header, http::request::Parts};
use serde::Serialize;
use stele_base_types::Principal;
use stele_core_broker::{Share, charged};

use crate::{
    body::RequestBody,
    errors::Error,
    login,
    operations::{self, api, messages, role},
    settings::Settings,
    state::State,
};

/// A response. Its body is not streamed, because no response is large.
pub(crate) type Answer = Response<Full<Bytes>>;

/// The response to `/`.
const INDEX: &str = "Stele's admin port\n\n\
    /livez               the process is alive\n\
    /startupz            recovery is done\n\
    /readyz[?verbose]    ready for clients\n\
    /metrics             metrics, for Prometheus\n\
    /v1/status           a summary, as JSON\n\
    /v1/logs             queues and topics, paged: ?vhost=/&after=NAME&limit=100\n\
    /v1/logs/NAME/messages  its messages, paged: ?state=ready&after=NEXT&limit=100\n\
    /v1/logs/NAME        one of them; DELETE /v1/logs/NAME/queue or /topic ends that role\n\
    /v1/tracing          whether messages are traced; PUT starts it, DELETE stops it\n\
    /api/overview        and other paths of RabbitMQ's HTTP API\n";

/// Answers a request. Its body is read only where one is needed.
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    client: &Principal,
    head: &Parts,
    body: impl RequestBody,
) -> Answer {
    match respond(state, settings, client, head, body).await {
        Ok(answer) => answer,
        Err(error) if head.uri.path().starts_with(api::PREFIX) => error.answer_as_rabbitmq(),
        Err(error) => error.answer(),
    }
}

async fn respond(
    state: &State,
    settings: &Settings,
    client: &Principal,
    head: &Parts,
    body: impl RequestBody,
) -> Result<Answer, Error> {
    let path = head.uri.path();
    if !api::takes(path, &head.method) {
        return Err(Error::NotGet);
    }
    let query = head.uri.query().unwrap_or_default();
    match path {
        "/livez" => return Ok(operations::livez::answer()),
        "/startupz" => return Ok(operations::startupz::answer(state)),
        "/readyz" | "/healthz" => return Ok(operations::readyz::answer(state, query).await),
        _ => {}
    }
    let principal = login::log_in(settings, client, head)?;
    match path {
        "/" => Ok(text(StatusCode::OK, INDEX.to_owned())),
        "/metrics" => operations::metrics::answer(state).await,
        "/v1/status" => operations::status::answer(state).await,
        operations::tracing::PATH => {
            operations::tracing::answer(state, settings, &head.method, query)
        }
        "/v1/logs" => operations::logs::answer(state, settings, query).await,
        _ => {
            if let Some(name) = path.strip_prefix("/v1/logs/") {
                if let Some(name) = name.strip_suffix(messages::SUFFIX) {
                    return messages::answer(state, settings, &principal, name, query).await;
                }
                return match role::split(name) {
                    Some((name, role)) if head.method == Method::DELETE => {
                        role::end(state, settings, &principal, name, role, query).await
                    }
                    _ => operations::log::answer(state, settings, &principal, name, query).await,
                };
            }
            let path = path.strip_prefix(api::PREFIX).ok_or(Error::NoSuchPage)?;
            api::answer(state, settings, &principal, path, head, body).await
        }
    }
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    whole(status, "application/json", json_text(body))
}

/// A JSON response that holds memory until it is sent.
pub(crate) fn json_charged(body: &impl Serialize, room: Share) -> Answer {
    let text = charged(json_text(body).into(), room);
    whole(StatusCode::OK, "application/json", text)
}

fn json_text(body: &impl Serialize) -> String {
    let mut text = serde_json::to_string(body).expect("answers have text keys");
    text.push('\n');
    text
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// A plain text response.
pub(crate) fn text(status: StatusCode, body: String) -> Answer {
    whole(status, "text/plain; charset=utf-8", body)
}

/// A response with a content type.
pub(crate) fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    answer
}
