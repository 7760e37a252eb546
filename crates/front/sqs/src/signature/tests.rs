//! The expected signatures were made by botocore for these requests.

use std::sync::Arc;

use hyper::Request;
use proptest::prelude::*;
use stele_base_env::{OsRng, SystemClock};
use stele_base_types::{Name, Secret};

use super::*;

/// 2026-01-02T03:04:05Z.
const SIGNED_AT: Timestamp = Timestamp(1_767_323_045_000);

const JSON_BODY: &[u8] = br#"{"QueueUrl":"orders"}"#;

const JSON_AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=AKIDEXAMPLE/20260102/eu-west-1/sqs/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode, \
    Signature=8270c54ca2487ba3196b6a7e6e62a657a324d2bfe32cd3f232f07f8cf43cd21b";

const QUERY_AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=AKIDEXAMPLE/20260102/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, \
    Signature=834e006920360372b726a23d0c8ebff4218a176c4098cacf9e4502401df2abb5";

const PRESIGNED: &str = "/123456789/orders?Action=ReceiveMessage\
    &X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request\
    &X-Amz-Date=20260102T030405Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=17a79568f45efb586014de5fd8a44b1d94a85e94d1e96baf3bb72c9631efdef8";

fn settings() -> Settings {
    let key = |id: &str, secret: &str| Credential {
        access_key_id: Name::new(id).unwrap(),
        secret_access_key: Secret::new(secret),
    };
    let credentials = vec![
        key("AKIDOTHER", "another"),
        key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ];
    let rng = Box::new(OsRng::new().unwrap());
    Settings::new(credentials, Arc::new(SystemClock::new()), rng)
}

fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn json_head(authorization: &str) -> Parts {
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("host", "127.0.0.1:9324"),
        ("x-amz-date", "20260102T030405Z"),
        ("x-amz-target", "AmazonSQS.ReceiveMessage"),
        ("x-amzn-query-mode", "true"),
        ("authorization", authorization),
        ("content-length", "21"),
    ];
    head("POST", "/", &headers)
}

fn presigned_head() -> Parts {
    head("GET", PRESIGNED, &[("host", "localhost:9324")])
}

fn outcome(head: &Parts, body: &[u8], now: Timestamp) -> Result<String, ErrorKind> {
    match authenticate(&settings(), head, body, now) {
        Ok(login) => Ok(login.expect("signatures are asked for").user.to_string()),
        Err(error) => Err(error.kind),
    }
}

#[test]
fn a_request_signed_by_botocore_is_taken() {
    let found = outcome(&json_head(JSON_AUTHORIZATION), JSON_BODY, SIGNED_AT);
    assert_eq!(found, Ok("AKIDEXAMPLE".to_owned()));
}

#[test]
fn a_signed_query_string_is_taken() {
    let uri = "/123456789/orders?Action=SendMessage&MessageBody=a%20b%2Fc%2B~&Version=2012-11-05";
    let headers = [
        ("host", "localhost:9324"),
        ("x-amz-date", "20260102T030405Z"),
        ("authorization", QUERY_AUTHORIZATION),
    ];
    let found = outcome(&head("GET", uri, &headers), b"", SIGNED_AT);
    assert_eq!(found, Ok("AKIDEXAMPLE".to_owned()));
}

#[test]
fn a_presigned_request_is_taken_while_it_is_good() {
    let found = outcome(&presigned_head(), b"", SIGNED_AT.plus_ms(300_000));
    assert_eq!(found, Ok("AKIDEXAMPLE".to_owned()));
    let late = outcome(&presigned_head(), b"", SIGNED_AT.plus_ms(300_001));
    assert_eq!(late, Err(ErrorKind::SignatureDoesNotMatch));
}

#[test]
fn a_changed_request_is_refused() {
    let refused = Err(ErrorKind::SignatureDoesNotMatch);
    let head = json_head(JSON_AUTHORIZATION);
    assert_eq!(
        outcome(&head, br#"{"QueueUrl":"others"}"#, SIGNED_AT),
        refused
    );
    let mut other_target = json_head(JSON_AUTHORIZATION);
    let purge = "AmazonSQS.PurgeQueue".parse().unwrap();
    other_target.headers.insert("x-amz-target", purge);
    assert_eq!(outcome(&other_target, JSON_BODY, SIGNED_AT), refused);
    let other_key = JSON_AUTHORIZATION.replace("AKIDEXAMPLE", "AKIDOTHER");
    assert_eq!(
        outcome(&json_head(&other_key), JSON_BODY, SIGNED_AT),
        refused
    );
    let unknown = JSON_AUTHORIZATION.replace("AKIDEXAMPLE", "AKIDNOBODY");
    let found = outcome(&json_head(&unknown), JSON_BODY, SIGNED_AT);
    assert_eq!(found, Err(ErrorKind::UnknownAccessKey));
}

fn with(mut head: Parts, name: &'static str, value: &str) -> Parts {
    head.headers.append(name, value.parse().unwrap());
    head
}

#[test]
fn what_decides_must_be_signed() {
    let denied = Err(ErrorKind::AccessDenied);
    for name in ["x-amz-target", "x-amz-date", "x-amz-security-token"] {
        let presigned = with(presigned_head(), name, "AmazonSQS.PurgeQueue");
        assert_eq!(outcome(&presigned, b"", SIGNED_AT), denied, "{name}");
    }
    let token = with(json_head(JSON_AUTHORIZATION), "x-amz-security-token", "x");
    assert_eq!(outcome(&token, JSON_BODY, SIGNED_AT), denied);
    // Tracing headers of proxies and the body's digest don't affect the meaning.
    for (name, value) in [
        ("x-amzn-trace-id", "Root=1"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("user-agent", "x"),
    ] {
        let head = with(presigned_head(), name, value);
        assert!(outcome(&head, b"", SIGNED_AT).is_ok(), "{name}");
        let refused = outcome(&head, b"Action=PurgeQueue", SIGNED_AT);
        assert_eq!(refused, Err(ErrorKind::SignatureDoesNotMatch), "{name}");
    }
}

#[test]
fn what_decides_may_come_once() {
    let twice = |head: Parts, name, value| outcome(&with(head, name, value), JSON_BODY, SIGNED_AT);
    for (name, value) in [
        ("host", "127.0.0.1:9324"),
        ("x-amz-date", "20260102T030405Z"),
        ("x-amz-target", "AmazonSQS.ReceiveMessage"),
        ("authorization", JSON_AUTHORIZATION),
    ] {
        let found = twice(json_head(JSON_AUTHORIZATION), name, value);
        assert_eq!(found, Err(ErrorKind::IncompleteSignature), "{name}");
    }
    for again in ["Signature=0", "Credential=A/b", "SignedHeaders=host"] {
        let found = outcome(
            &json_head(&format!("{JSON_AUTHORIZATION}, {again}")),
            JSON_BODY,
            SIGNED_AT,
        );
        assert_eq!(found, Err(ErrorKind::IncompleteSignature), "{again}");
    }
    for again in ["X-Amz-Signature=0", "X-Amz-Expires=9", "X%2DAmz-Date=1"] {
        let head = head(
            "GET",
            &format!("{PRESIGNED}&{again}"),
            &[("host", "localhost:9324")],
        );
        let found = outcome(&head, b"", SIGNED_AT);
        assert_eq!(found, Err(ErrorKind::IncompleteSignature), "{again}");
    }
}

#[test]
fn a_request_is_signed_in_one_place() {
    let both = with(presigned_head(), "authorization", JSON_AUTHORIZATION);
    assert_eq!(
        outcome(&both, b"", SIGNED_AT),
        Err(ErrorKind::IncompleteSignature)
    );
}

/// A repeated name in `SignedHeaders` costs three bytes, but adds the whole value of its header.
#[test]
fn a_signed_header_is_named_once() {
    let names = vec!["x"; 10_000].join(";");
    let authorization = JSON_AUTHORIZATION.replace("content-type", &names);
    let long = with(json_head(&authorization), "x", &"y".repeat(30_000));
    assert_eq!(
        outcome(&long, JSON_BODY, SIGNED_AT),
        Err(ErrorKind::IncompleteSignature)
    );
}

#[test]
fn parameters_of_a_presigned_request_are_signed() {
    let refused = Err(ErrorKind::SignatureDoesNotMatch);
    for (part, other) in [
        ("Action=ReceiveMessage", "Action=PurgeQueue"),
        ("X-Amz-Algorithm", "Action=PurgeQueue&X-Amz-Algorithm"),
        ("X-Amz-Expires=300", "X-Amz-Expires=604800"),
        ("/orders?", "/others?"),
    ] {
        let uri = PRESIGNED.replace(part, other);
        let head = head("GET", &uri, &[("host", "localhost:9324")]);
        assert_eq!(outcome(&head, b"", SIGNED_AT), refused, "{other}");
    }
    let other_host = head("GET", PRESIGNED, &[("host", "elsewhere:9324")]);
    assert_eq!(outcome(&other_host, b"", SIGNED_AT), refused);
    let other_method = head("POST", PRESIGNED, &[("host", "localhost:9324")]);
    assert_eq!(outcome(&other_method, b"", SIGNED_AT), refused);
}

#[test]
fn a_signature_for_another_service_is_not_taken() {
    let of_s3 = json_head(&JSON_AUTHORIZATION.replace("/sqs/", "/s3/"));
    assert_eq!(
        outcome(&of_s3, JSON_BODY, SIGNED_AT),
        Err(ErrorKind::SignatureDoesNotMatch)
    );
}

#[test]
fn a_signature_is_good_for_a_quarter_of_an_hour() {
    let head = json_head(JSON_AUTHORIZATION);
    let at = |ms: i64| outcome(&head, JSON_BODY, Timestamp(SIGNED_AT.0 + ms));
    assert!(at(900_000).is_ok());
    assert!(at(-900_000).is_ok());
    assert_eq!(at(900_001), Err(ErrorKind::SignatureDoesNotMatch));
    assert_eq!(at(-900_001), Err(ErrorKind::SignatureDoesNotMatch));
}

#[test]
fn what_can_not_be_read_is_incomplete() {
    for authorization in [
        "",
        "Basic Zm9vOmJhcg==",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/r/sqs, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20260103/r/sqs/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=A/20260102/r/sqs/aws4_request, SignedHeaders=x, Signature=0",
        "AWS4-HMAC-SHA256 Credential=A/20260102/r/sqs/aws4_request, SignedHeaders=host;absent, Signature=0",
    ] {
        let signed = authorization.replace("=host", "=host;x-amz-date;x-amz-target");
        let found = outcome(&json_head(&signed), JSON_BODY, SIGNED_AT);
        assert_eq!(
            found,
            Err(ErrorKind::IncompleteSignature),
            "{authorization}"
        );
    }
    let unsigned = head("GET", "/?Action=ListQueues", &[]);
    assert_eq!(
        outcome(&unsigned, b"", SIGNED_AT),
        Err(ErrorKind::MissingAuthenticationToken)
    );
}

#[test]
fn without_credentials_every_request_is_taken() {
    let settings = Settings {
        credentials: Vec::new(),
        ..settings()
    };
    let taken = authenticate(&settings, &json_head("nonsense"), b"x", SIGNED_AT);
    assert_eq!(taken, Ok(None));
}

/// The meaning of a request, independent of how its query string is written.
fn asked(head: &Parts) -> (String, Vec<(String, String)>) {
    let mut pairs: Vec<_> = canonical::pairs(head.uri.query().unwrap_or_default()).collect();
    pairs.sort();
    (head.uri.path().to_owned(), pairs)
}

/// `text` with a few characters replaced, removed or duplicated.
fn mutated(text: &str, changes: &[(usize, Option<char>)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, change) in changes {
        let at = at % characters.len().max(1);
        match (change, characters.get(at).copied()) {
            (Some(character), Some(_)) if at.is_multiple_of(2) => characters[at] = *character,
            (Some(character), _) => characters.insert(at, *character),
            (None, Some(_)) => drop(characters.remove(at)),
            (None, None) => {}
        }
    }
    characters.into_iter().collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, Option<char>)>> {
    let character = proptest::option::of(proptest::char::range(' ', '~'));
    prop::collection::vec((any::<usize>(), character), 1..4)
}

proptest! {
    #[test]
    fn a_changed_presigned_url_is_refused_or_asks_the_same(changes in changes()) {
        let uri = mutated(PRESIGNED, &changes);
        if uri.parse::<hyper::Uri>().is_ok_and(|uri| uri.path().starts_with('/')) {
            let changed = head("GET", &uri, &[("host", "localhost:9324")]);
            if outcome(&changed, b"", SIGNED_AT).is_ok() {
                prop_assert_eq!(asked(&changed), asked(&presigned_head()), "{}", uri);
            }
        }
    }

    #[test]
    fn a_changed_authorization_is_refused_or_claims_the_same(changes in changes()) {
        let changed = json_head(&mutated(JSON_AUTHORIZATION, &changes));
        if outcome(&changed, JSON_BODY, SIGNED_AT).is_ok() {
            prop_assert_eq!(Claim::of(&changed), Claim::of(&json_head(JSON_AUTHORIZATION)));
        }
    }

    #[test]
    fn any_headers_are_answered(
        headers in prop::collection::vec(
            ("(authorization|host|x-amz-(date|target|z)|content-type)", "[ -~]{0,40}"),
            0..6,
        ),
        query in "(X-Amz-(Signature|Date|Expires|Credential|SignedHeaders)=[!-~&&[^#]]{0,9}&?){0,6}",
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let uri = format!("/?{query}");
        if uri.parse::<hyper::Uri>().is_ok() {
            let _ = outcome(&head("POST", &uri, &headers), JSON_BODY, SIGNED_AT);
        }
    }

    #[test]
    fn any_authorization_is_answered(text in "(AWS4-HMAC-SHA256 )?[ -~]{0,80}") {
        let _ = outcome(&json_head(&text), JSON_BODY, SIGNED_AT);
    }

    #[test]
    fn any_instant_is_answered(instant in "([0-9]{8}T[0-9]{6}Z|[ -~]{0,20})") {
        let _ = parse_instant_s(&instant);
    }
}
