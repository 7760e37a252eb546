//! A part of RabbitMQ's HTTP API, with its field names, for client libraries and tools that use it:
//! one file for each path. Names in a path are percent-encoded; the virtual host `/` is `%2F`.
//! Other paths return 404, and errors have RabbitMQ's format: `{"error": …, "reason": …}`.
//!
//! Reference: <https://www.rabbitmq.com/docs/http-api-reference>.

mod aliveness_test;
mod connection;
mod connections;
mod overview;
mod queue;
mod queues;
mod vhost;
mod view;

use hyper::{Method, http::request::Parts};
use stele_base_types::Principal;

use self::view::View;
use super::{role, tracing};
use crate::{
    body::{self, RequestBody},
    errors::Error,
    operations::log::decoded,
    router::Answer,
    settings::Settings,
    state::State,
};

/// The prefix of these paths.
pub(crate) const PREFIX: &str = "/api/";

/// The node name in responses.
const NODE: &str = "stele@localhost";

/// Whether `path` supports this method.
pub(crate) fn takes(path: &str, method: &Method) -> bool {
    match method {
        &Method::GET | &Method::HEAD => true,
        &Method::DELETE => {
            let log = path.strip_prefix("/v1/logs/");
            log.and_then(role::split).is_some()
                || path == tracing::PATH
                || path.starts_with("/api/connections/")
        }
        &Method::PUT => path == tracing::PATH || path.starts_with("/api/vhosts/"),
        _ => false,
    }
}

/// Answers a request for `path`, given without [`PREFIX`].
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    principal: &Principal,
    path: &str,
    head: &Parts,
    body: impl RequestBody,
) -> Result<Answer, Error> {
    let view = View::read(head.uri.query().unwrap_or_default())?;
    let (action, names) = path.split_once('/').unwrap_or((path, ""));
    let names = names.split('/').filter(|name| !name.is_empty());
    let names = names.map(decoded).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match (action, &names[..]) {
        ("overview", []) => overview::answer(state, settings, &view).await,
        ("connections", []) => connections::answer(settings, &view),
        ("connections", [name]) => connection::answer(settings, name, head, &view),
        ("queues", []) => queues::answer(state, settings, None, &view).await,
        ("queues", [vhost]) => queues::answer(state, settings, Some(vhost), &view).await,
        ("queues", [vhost, name]) => {
            let definition = queue::find(state, principal, vhost, name)?;
            queue::answer(state, settings, &definition, &view).await
        }
        ("vhosts", [vhost]) if head.method == Method::PUT => {
            vhost::put(state, settings, vhost, &body::read(body).await?)
        }
        ("vhosts", [vhost]) => vhost::answer(state, settings, vhost, &view),
        ("aliveness-test", [vhost]) => aliveness_test::answer(state, vhost).await,
        _ => Err(Error::NoSuchPage),
    }
}
