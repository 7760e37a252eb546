//! Names and pages that are refused or allowed.

use hyper::Request;
use proptest::prelude::*;

use super::*;

fn judged(effect: Effect, headers: &[(&str, &str)]) -> Result<(), Foreign> {
    let mut request = Request::builder().uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    Hosts::new(["Queue.example.org", ""]).check(&head, effect)
}

fn by_name(host: &str) -> Result<(), Foreign> {
    judged(Effect::Changes, &[("host", host)])
}

#[test]
fn addresses_and_names_that_no_page_has_are_ours() {
    for host in [
        "127.0.0.1:9324",
        "192.168.1.5",
        "[::1]:9324",
        "[fe80::1%25eth0]",
        "localhost:9324",
        "LOCALHOST.:9324",
        "a.localhost",
        "stele",
        "host.docker.internal:9324",
        "stele.jobs.svc.cluster.local",
        "stele.jobs.svc",
        "sqs.us-east-1.amazonaws.com",
        "eu-west-1.queue.amazonaws.com",
        "queue.amazonaws.com",
        "localhost.localstack.cloud:4566",
        "sqs.us-east-1.localhost.localstack.cloud:4566",
        "queue.example.org:9324",
        "",
    ] {
        assert_eq!(by_name(host), Ok(()), "{host}");
    }
    assert_eq!(judged(Effect::Changes, &[]), Ok(()));
}

#[test]
fn a_name_that_a_page_may_have_is_not() {
    for host in [
        "example.org:9324",
        "other.queue.example.org",
        "127.0.0.1.example.org",
        "localhost.example.org",
        "evil-localhost.localstack.cloud",
        "localstack.cloud",
        "bucket.s3.amazonaws.com",
        "sqs.amazonaws.com.example.org",
        "sqs.evilamazonaws.com",
        "user@example.org",
        "a:b",
        "é.org",
    ] {
        assert!(matches!(by_name(host), Err(Foreign::Name(_))), "{host}");
    }
    let two = [("host", "localhost"), ("host", "example.org")];
    assert!(judged(Effect::Changes, &two).is_err());
    let any = Hosts::new(["*"]);
    assert!(any.is_ours("example.org"));
}

#[test]
fn a_page_from_elsewhere_is_refused_whatever_it_tells() {
    let host = ("host", "localhost:9324");
    for (name, value, is_refused) in [
        ("sec-fetch-site", "cross-site", true),
        ("sec-fetch-site", "same-site", true),
        ("sec-fetch-site", "", true),
        ("sec-fetch-site", "none", false),
        ("sec-fetch-site", "same-origin", false),
        ("origin", "null", true),
        ("origin", "http://localhost:3000", true),
        ("origin", "https://example.org", true),
        ("origin", "http://localhost:9324", false),
        (
            "user-agent",
            "Mozilla/5.0 (Macintosh) Safari/605.1.15",
            true,
        ),
        ("user-agent", "Boto3/1.44.5", false),
    ] {
        let found = judged(Effect::Changes, &[host, (name, value)]);
        assert_eq!(found.is_err(), is_refused, "{name}: {value}");
    }
    let both = [
        host,
        ("sec-fetch-site", "none"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(judged(Effect::Reads, &both), Err(Foreign::Page));
}

proptest! {
    #[test]
    fn any_name_in_public_dns_is_not_ours(name in "([a-z0-9-]{1,9}\\.){1,3}(com|org|cloud)") {
        prop_assert!(matches!(by_name(&name), Err(Foreign::Name(_))));
    }

    #[test]
    fn any_headers_are_judged(host: Vec<u8>, name in "[a-z-]{1,9}", value: Vec<u8>) {
        let mut head = Request::new(()).into_parts().0;
        let name = HeaderName::try_from(name).unwrap_or(ORIGIN);
        for (name, value) in [(HOST, &host), (name, &value), (ORIGIN, &value)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                head.headers.append(name, value);
            }
        }
        let _ = Hosts::default().check(&head, Effect::Changes);
    }
}

#[test]
fn a_link_may_lead_to_what_only_reads() {
    let link = |dest| {
        [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", dest),
        ]
    };
    assert_eq!(judged(Effect::Reads, &link("document")), Ok(()));
    assert!(judged(Effect::Reads, &link("iframe")).is_err());
    assert!(judged(Effect::Changes, &link("document")).is_err());
}
