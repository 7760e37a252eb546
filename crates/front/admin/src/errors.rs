//! What can go wrong with a request, and its answer: `{"error": {"code": …, "message": …}}`.

use hyper::{StatusCode, header};
use serde_json::json;
use stele_core_broker::{Failure, ResolveError};
use stele_front_accept::Foreign;

use crate::router::{Answer, json as json_answer};

/// A request that isn't answered with what it asks for.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// 400. The caller corrects the query.
    #[error("{0}")]
    BadQuery(String),
    /// 401. The caller logs in.
    #[error("log in as one of auth.users, by HTTP Basic authentication")]
    NotLoggedIn,
    /// 403. The caller isn't a web page, and comes by a name of the server's.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// 404. The caller looks at `/` for what there is.
    #[error("no such page; / lists what there is")]
    NoSuchPage,
    /// 404. The caller looks at `/v1/logs`.
    #[error("no queue or topic of that name in that virtual host")]
    NoSuchLog,
    /// 405. Everything is a GET.
    #[error("only GET and HEAD are answered here")]
    NotGet,
    /// 409. The broker says why.
    #[error("{0}")]
    Refused(String),
    /// 503. The caller tries again once `/readyz` says so.
    #[error("the broker is {0}")]
    NotReady(&'static str),
    /// 503. The caller tries again.
    #[error("a shard doesn't answer")]
    Stuck,
    /// 503 or 500, by what the broker says.
    #[error(transparent)]
    Broker(#[from] Failure),
}

impl Error {
    /// Where a name leads to nothing that may be shown.
    pub(crate) fn of_resolve(error: ResolveError) -> Self {
        match error {
            ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
                Self::NoSuchLog
            }
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadQuery(_) => StatusCode::BAD_REQUEST,
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPage | Self::NoSuchLog => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::NotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady(_) | Self::Stuck => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broker(failure) => match failure {
                Failure::TooLarge(_) => StatusCode::CONFLICT,
                Failure::Stopping | Failure::NoSpace => StatusCode::SERVICE_UNAVAILABLE,
                Failure::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadQuery(_) => "bad-query",
            Self::NotLoggedIn => "not-logged-in",
            Self::Foreign(Foreign::Page) => "foreign-page",
            Self::Foreign(Foreign::Name(_)) => "foreign-name",
            Self::NoSuchPage => "no-such-page",
            Self::NoSuchLog => "no-such-log",
            Self::Refused(_) => "refused",
            Self::NotGet => "not-get",
            Self::NotReady(_) => "not-ready",
            Self::Stuck => "stuck",
            Self::Broker(failure) => match failure {
                Failure::TooLarge(_) => "refused",
                Failure::Stopping => "stopping",
                Failure::NoSpace => "no-space",
                Failure::Unreadable(_) => "unreadable",
            },
        }
    }

    /// The answer to a request of RabbitMQ's API, in its words.
    pub(crate) fn answer_as_rabbitmq(&self) -> Answer {
        let (error, reason) = match self {
            Self::NotLoggedIn => ("not_authorized", "Login failed".to_owned()),
            Self::NoSuchPage | Self::NoSuchLog => ("Object Not Found", "Not Found".to_owned()),
            Self::BadQuery(reason) => ("bad_request", reason.clone()),
            other => (other.code(), other.to_string()),
        };
        let body = json!({ "error": error, "reason": reason });
        self.with_headers(json_answer(self.status(), &body))
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Answer {
        let body = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        self.with_headers(json_answer(self.status(), &body))
    }

    fn with_headers(&self, mut answer: Answer) -> Answer {
        let extra = match self {
            Self::NotLoggedIn => Some((header::WWW_AUTHENTICATE, "Basic realm=\"stele\"")),
            Self::NotGet => Some((header::ALLOW, "GET, HEAD")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            answer
                .headers_mut()
                .insert(name, header::HeaderValue::from_static(value));
        }
        answer
    }
}
