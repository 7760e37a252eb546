//! One request and its response: detects the protocol, authenticates the sender, runs the action.
//!
//! HTTP keeps no state between the requests of a connection, so a session is one request.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Response as HttpResponse, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderValue},
    http::request::Parts,
};
use stele_base_types::Principal;
use stele_core_broker::{Memory, charged};
use stele_front_accept as accept;
use stele_wire_sqs::{Error, ErrorKind, Protocol, Request, Response, decode_json, decode_query};

use crate::{
    front::{Context, Front},
    limits::{BODY_UNCOUNTED_BYTES_MAX, RESPONSE_UNCOUNTED_BYTES_MAX},
    operations, signature,
};

/// A response with its body.
pub(crate) type Answer = HttpResponse<Full<Bytes>>;

const TARGET: &str = "x-amz-target";
const REQUEST_ID: &str = "x-amzn-requestid";
const QUERY_ERROR: &str = "x-amzn-query-error";
const TRACE_ID: &str = "x-amzn-trace-id";

/// The client of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// Anonymous, because each request authenticates itself.
    pub(crate) principal: Principal,
    /// The server address that the client connected to.
    pub(crate) local: SocketAddr,
    /// Whether a request has had a valid signature.
    is_known: AtomicBool,
}

impl Client {
    pub(crate) fn new(principal: Principal, local: SocketAddr) -> Self {
        Self {
            principal,
            local,
            is_known: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}

/// Answers a request.
pub(crate) async fn answer(front: &Front, head: Parts, body: Bytes, client: &Client) -> Answer {
    if !matches!(head.method, Method::GET | Method::POST) {
        return method_not_allowed();
    }
    let protocol = protocol(&head.headers);
    let recognized = recognize(front, &head, body, client);
    // The connection reads on into the memory that the headers lie in, once they are gone.
    drop(head);
    let result = match recognized {
        Ok((context, request)) => operations::run(front, &context, request).await,
        Err(error) => {
            count_unrecognized(front);
            Err(error)
        }
    };
    encode(front, protocol, result)
}

/// The response to a request whose body couldn't be read.
pub(crate) fn refuse(front: &Front, head: &Parts, error: Error) -> Answer {
    count_unrecognized(front);
    encode(front, protocol(&head.headers), Err(error))
}

fn count_unrecognized(front: &Front) {
    front.meter.request(operations::UNRECOGNIZED, 1);
    front.meter.error(operations::UNRECOGNIZED, 1);
}

/// Authenticates and decodes a request.
fn recognize(
    front: &Front,
    head: &Parts,
    body: Bytes,
    client: &Client,
) -> Result<(Context, Request), Error> {
    let login = signature::authenticate(&front.settings, head, &body, front.calendar())
        .inspect_err(|error| log_failed_login(client, head, error))?;
    client.is_known.store(true, Ordering::Relaxed);
    let request = decode(head, &body)?;
    // The request may wait for a while, and would hold its memory meanwhile.
    if matches!(request, Request::ReceiveMessage(_)) && body.len() > BODY_UNCOUNTED_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::RequestTooLarge,
            format!("A ReceiveMessage can't be longer than {BODY_UNCOUNTED_BYTES_MAX} bytes."),
        ));
    }
    drop(body);
    let context = Context {
        base_url: base_url(&head.headers, client.local),
        principal: Principal {
            login,
            ..client.principal.clone()
        },
        trace: trace(&head.headers),
    };
    Ok((context, request))
}

/// Logs that a request isn't signed correctly.
pub(crate) fn log_failed_login(client: &Client, head: &Parts, error: &Error) {
    let user = signature::claimed_user(head).unwrap_or_default();
    let reason = match error.kind {
        ErrorKind::UnknownAccessKey => "no such access key",
        ErrorKind::MissingAuthenticationToken => "no signature",
        _ => &*error.message,
    };
    accept::log_failed_login("sqs", client.principal.address, &user, &reason);
}

/// A request with a target or a JSON type of AWS speaks JSON. Any other request speaks the query
/// protocol, which has no mark of its own and whose response may be requested as JSON.
fn protocol(headers: &HeaderMap) -> Protocol {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if headers.contains_key(TARGET) || content_type.starts_with(b"application/x-amz-json") {
        Protocol::Json
    } else if accepts_json(headers) {
        Protocol::QueryInJson
    } else {
        Protocol::Query
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("application/json"))
}

fn decode(head: &Parts, body: &[u8]) -> Result<Request, Error> {
    let path = head.uri.path();
    match protocol(&head.headers) {
        Protocol::Json => {
            let target = head
                .headers
                .get(TARGET)
                .and_then(|target| target.to_str().ok());
            decode_json(target.unwrap_or_default(), path, body)
        }
        Protocol::Query | Protocol::QueryInJson => {
            decode_query(path, head.uri.query().unwrap_or_default().as_bytes(), body)
        }
    }
}

/// The trace id of the request, from a header that tracing proxies and SDKs add.
fn trace(headers: &HeaderMap) -> Option<String> {
    let trace = headers.get(TRACE_ID)?.to_str().ok()?;
    (!trace.is_empty()).then(|| trace.to_owned())
}

/// The scheme and host that the client used to reach this server.
fn base_url(headers: &HeaderMap, local: SocketAddr) -> String {
    match headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .filter(|host| !host.is_empty())
    {
        Some(host) => format!("http://{host}"),
        None => format!("http://{local}"),
    }
}

fn encode(front: &Front, protocol: Protocol, result: Result<Response, Error>) -> Answer {
    let request_id = front.settings.random.uuid().to_string();
    let mut answer = match result {
        Ok(response) => HttpResponse::new(Full::new(counted(
            front,
            response.encode(protocol, &request_id).into(),
        ))),
        Err(error) => encode_error(protocol, &request_id, error),
    };
    let headers = answer.headers_mut();
    let content_type = match protocol {
        Protocol::Json => "application/x-amz-json-1.0",
        Protocol::Query => "text/xml",
        Protocol::QueryInJson => "application/json",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(value) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    answer
}

/// A body that holds its memory reservation until it is sent.
fn counted(front: &Front, body: Bytes) -> Bytes {
    if body.len() <= RESPONSE_UNCOUNTED_BYTES_MAX {
        return body;
    }
    let room = Memory::kind_of_response(body.len());
    let room = front.broker.memory().note(room, body.len());
    charged(body, room)
}

fn encode_error(protocol: Protocol, request_id: &str, mut error: Error) -> Answer {
    // The older protocol has another text for this error, and clients depend on it.
    if protocol != Protocol::Json && error.kind == ErrorKind::QueueDoesNotExist {
        "The specified queue does not exist for this wsdl version.".clone_into(&mut error.message);
    }
    let mut answer = HttpResponse::new(Full::new(error.encode(protocol, request_id).into()));
    *answer.status_mut() =
        StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if protocol == Protocol::Json
        && let Ok(value) = HeaderValue::try_from(error.query_error_header())
    {
        answer.headers_mut().insert(QUERY_ERROR, value);
    }
    answer
}

fn method_not_allowed() -> Answer {
    let mut answer = HttpResponse::new(Full::default());
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, POST"));
    answer
}
