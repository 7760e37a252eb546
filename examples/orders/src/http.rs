//! A client for JSON over HTTP, with a time-out that is always set.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Sends requests. Clones share their connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: hyper::HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// There is no answer. Whether the request was carried out isn't known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoAnswer {
    /// None came in time.
    #[error("{url} gave no answer within {timeout:?}")]
    Timeout {
        /// The address.
        url: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection failed.
    #[error("{url}: {reason}")]
    Failed {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

impl HttpClient {
    /// A client whose requests take at most this long.
    pub fn new(timeout: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, timeout }
    }

    /// A request without a body.
    pub async fn get(&self, url: &str) -> Result<Answer, NoAnswer> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }

    /// A request with a JSON body.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(HeaderName, &str)],
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, NoAnswer> {
        let failed = |error: serde_json::Error| failed(url, error);
        let body = serde_json::to_vec(body).map_err(failed)?;
        self.send(Method::POST, url, headers, body.into()).await
    }

    /// A request with a JSON body, which replaces something.
    pub async fn put(&self, url: &str, body: &(impl Serialize + Sync)) -> Result<Answer, NoAnswer> {
        let body = serde_json::to_vec(body).map_err(|error| failed(url, error))?;
        self.send(Method::PUT, url, &[], body.into()).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(url, error))?;
        let answering = async {
            let answer = self.client.request(request).await;
            let (head, body) = answer.map_err(|error| failed(url, error))?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: body.map_err(|error| failed(url, error))?.to_bytes(),
            })
        };
        match tokio::time::timeout(self.timeout, answering).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Timeout {
                url: url.to_owned(),
                timeout: self.timeout,
            }),
        }
    }
}

impl Answer {
    /// The body as a type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as text, for people.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn failed(url: &str, error: impl ToString) -> NoAnswer {
    NoAnswer::Failed {
        url: url.to_owned(),
        reason: error.to_string(),
    }
}
