//! Which operation answers a request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, StatusCode, header, http::request::Parts};
use serde::Serialize;
use stele_base_types::Principal;

use crate::{errors::Error, login, operations, settings::Settings, state::State};

/// An answer: its body is whole, since nothing here is large.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What there is, for whoever asks for `/`.
const INDEX: &str = "Stele's admin port\n\n\
    /livez               the process turns\n\
    /startupz            it has recovered\n\
    /readyz[?verbose]    it serves\n\
    /metrics             figures, for Prometheus\n\
    /v1/status           the same in short, as JSON\n\
    /v1/logs             queues and topics, paged: ?vhost=/&after=NAME&limit=100\n\
    /v1/logs/NAME        one of them\n";

/// Answers a request, of which its head is all that is looked at.
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    client: &Principal,
    head: &Parts,
) -> Answer {
    match respond(state, settings, client, head).await {
        Ok(answer) => answer,
        Err(error) => error.answer(),
    }
}

async fn respond(
    state: &State,
    settings: &Settings,
    client: &Principal,
    head: &Parts,
) -> Result<Answer, Error> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Error::NotGet);
    }
    let path = head.uri.path();
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
        "/v1/logs" => operations::logs::answer(state, query).await,
        _ => match path.strip_prefix("/v1/logs/") {
            Some(name) => operations::log::answer(state, &principal, name, query).await,
            None => Err(Error::NoSuchPage),
        },
    }
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut text = serde_json::to_string(body).expect("answers have text keys");
    text.push('\n');
    whole(status, "application/json", text)
}

/// An answer in plain text.
pub(crate) fn text(status: StatusCode, body: String) -> Answer {
    whole(status, "text/plain; charset=utf-8", body)
}

/// An answer of a kind.
pub(crate) fn whole(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
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
