//! `GET /api/vhosts/NAME`: a virtual host. `PUT` with `{"tracing": true}` or `false` starts or
//! stops tracing its messages, and returns 204; everything else in the body has no effect.
//!
//! Deviations: no virtual host can be created.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::view::View;
use crate::{
    errors::Error,
    operations::tracing,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

/// The response.
pub(super) fn answer(
    state: &State,
    settings: &Settings,
    vhost: &str,
    view: &View,
) -> Result<Answer, Error> {
    let is_traced = tracing::set(state, settings, vhost, None)?;
    Ok(view.one(json!({ "name": vhost, "tracing": is_traced })))
}

/// Changes it.
pub(super) fn put(
    state: &State,
    settings: &Settings,
    vhost: &str,
    body: &Value,
) -> Result<Answer, Error> {
    let wanted = match &body["tracing"] {
        Value::Null => None,
        Value::Bool(wanted) => Some(*wanted),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        other => return Err(Error::BadQuery(format!("not a boolean: {other}"))),
    };
    tracing::set(state, settings, vhost, wanted)?;
    Ok(router::empty(StatusCode::NO_CONTENT))
}
