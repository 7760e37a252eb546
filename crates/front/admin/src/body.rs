//! Bodies of requests. All are JSON and small.

use std::error::Error as StdError;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    errors::Error,
    limits::{BODY_BYTES_MAX, HEAD_TIMEOUT},
};

/// The body of a request.
pub(crate) trait RequestBody:
    Body<Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin
{
}

impl<B: Body<Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin> RequestBody for B {}

/// Reads a body. An empty one is an empty object.
pub(crate) async fn read(body: impl RequestBody) -> Result<Value, Error> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let whole = timeout(HEAD_TIMEOUT, whole).await;
    let whole = whole.ok().and_then(Result::ok);
    let unreadable = || Error::BadQuery("the body is cut off, late or too long".to_owned());
    let octets = whole.ok_or_else(unreadable)?.to_bytes();
    if octets.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let value = serde_json::from_slice(&octets).ok();
    let value = value.filter(Value::is_object);
    value.ok_or_else(|| Error::BadQuery("the body must be a JSON object".to_owned()))
}
