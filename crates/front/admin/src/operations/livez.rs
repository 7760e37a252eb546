//! `GET /livez`: returns 200 while the process is alive.

use hyper::StatusCode;

use crate::router::{Answer, text};

/// The response.
pub(crate) fn answer() -> Answer {
    text(StatusCode::OK, "ok\n".to_owned())
}
