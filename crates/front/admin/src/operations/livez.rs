//! `GET /livez`: 200 while the process turns, whatever else it does.

use hyper::StatusCode;

use crate::router::{Answer, text};

/// The answer.
pub(crate) fn answer() -> Answer {
    text(StatusCode::OK, "ok\n".to_owned())
}
