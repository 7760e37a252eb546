//! Errors of HTTP interfaces, as RFC 9457 has them: `application/problem+json`.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// Why a request wasn't carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The kind of problem, a word that never changes: `/problems/NAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: &'static str,
    /// The status of the response.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl ToString) -> Self {
        Self {
            kind: format!("/problems/{name}"),
            title,
            status: status.as_u16(),
            detail: detail.to_string(),
        }
    }

    /// 400: the request can't be read.
    pub fn malformed(detail: impl ToString) -> Self {
        let title = "The request can't be read";
        Self::new(StatusCode::BAD_REQUEST, "malformed", title, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl ToString) -> Self {
        let title = "There is no such thing";
        Self::new(StatusCode::NOT_FOUND, "not-found", title, detail)
    }

    /// 409: the state of things doesn't allow it.
    pub fn conflict(detail: impl ToString) -> Self {
        let title = "The present state doesn't allow this";
        Self::new(StatusCode::CONFLICT, "conflict", title, detail)
    }

    /// 422: it can be read, and makes no sense.
    pub fn invalid(detail: impl ToString) -> Self {
        let title = "The request makes no sense";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", title, detail)
    }

    /// 503: try again later.
    pub fn unavailable(detail: impl ToString) -> Self {
        let title = "Not now";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            title,
            detail,
        )
    }

    /// 500: a fault of the program or of its data.
    pub fn fault(detail: impl ToString) -> Self {
        let title = "Something is wrong here";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status >= 500 {
            tracing::error!(kind = self.kind, "{}", self.detail);
        }
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}

impl From<stele_toolkit_sql::Error> for Problem {
    fn from(error: stele_toolkit_sql::Error) -> Self {
        match error.is_transient() {
            true => Self::unavailable(error),
            false => Self::fault(error),
        }
    }
}

impl From<stele_toolkit_sql::sqlx::Error> for Problem {
    fn from(error: stele_toolkit_sql::sqlx::Error) -> Self {
        stele_toolkit_sql::Error::from(error).into()
    }
}
