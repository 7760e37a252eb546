//! Request errors and their responses: `{"error": {"code": …, "message": …}}`.

use hyper::{StatusCode, header};
use serde_json::json;
use stele_core_broker::{Failure, ResolveError};
use stele_front_accept::Foreign;

use crate::router::{Answer, json as json_answer};

/// The errors of a request.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// 400. 400. The caller must correct the query.
    #[error("{0}")]
    BadQuery(String),
    /// 401. 401. The caller must log in.
    #[error("log in as one of auth.users, by HTTP Basic authentication")]
    NotLoggedIn,
    /// 403. 403. The request comes from a web page, or uses an unknown host name.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// 404. 404. `/` lists the pages.
    #[error("no such page; / lists all pages")]
    NoSuchPage,
    /// 404. 404. `/v1/logs` lists the queues and topics.
    #[error("no queue or topic of that name in that virtual host")]
    NoSuchLog,
    /// 404. There is one virtual host, `/`, unless AMQP clients have been given others.
    #[error("no such virtual host")]
    NoSuchVirtualHost,
    /// 405. The path supports only GET and HEAD.
    #[error("this path supports only GET and HEAD")]
    NotGet,
    /// 409. 409. The message says why.
    #[error("{0}")]
    Refused(String),
    /// 503. 503. The caller retries when `/readyz` returns 200.
    #[error("the broker is {0}")]
    NotReady(&'static str),
    /// 503. 503. The caller retries.
    #[error("a shard doesn't respond")]
    Stuck,
    /// 503 or 500, depending on the broker's error.
    #[error(transparent)]
    Broker(#[from] Failure),
}

impl Error {
    /// The error for a name that doesn't resolve to a visible log.
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
            Self::NoSuchPage | Self::NoSuchLog | Self::NoSuchVirtualHost => StatusCode::NOT_FOUND,
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
            Self::NoSuchVirtualHost => "no-such-vhost",
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

    /// The response in the format of RabbitMQ's API.
    pub(crate) fn answer_as_rabbitmq(&self) -> Answer {
        let (error, reason) = match self {
            Self::NotLoggedIn => ("not_authorized", "Login failed".to_owned()),
            Self::NoSuchPage | Self::NoSuchLog | Self::NoSuchVirtualHost => {
                ("Object Not Found", "Not Found".to_owned())
            }
            Self::BadQuery(reason) => ("bad_request", reason.clone()),
            other => (other.code(), other.to_string()),
        };
        let body = json!({ "error": error, "reason": reason });
        self.with_headers(json_answer(self.status(), &body))
    }

    /// The response.
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
