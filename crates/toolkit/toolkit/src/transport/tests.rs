use super::*;

fn refusal(url: &str) -> String {
    connect(url).expect_err("a refusal").to_string()
}

#[test]
fn what_is_wrong_with_a_url_is_told_without_its_secrets() {
    assert!(refusal("nats://secret@host").starts_with("\"nats\" isn't a scheme"));
    assert!(refusal("").starts_with("\"\" isn't a scheme"));
    #[cfg(feature = "amqp")]
    {
        let refusal = refusal("amqp://user:secret@host:port/%2f");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
    #[cfg(feature = "kafka")]
    {
        assert_eq!(refusal("kafka://"), "a kafka URL: no brokers");
        let expected = "a kafka URL: partitions=many isn't a number";
        assert_eq!(refusal("kafka://host:9092?partitions=many"), expected);
    }
    #[cfg(feature = "sqs")]
    assert_eq!(
        refusal("sqs://key:secret@host?order=random"),
        "a sqs URL: order=random is neither key nor none"
    );
}

#[cfg(feature = "memory")]
#[test]
fn each_scheme_has_its_transport() {
    let name = |url: &str| connect(url).expect("a transport").name();
    assert_eq!(name("memory:"), "memory");
    #[cfg(feature = "kafka")]
    assert_eq!(
        name("kafka://a:9092,b:9092?partitions=3&linger.ms=2"),
        "kafka"
    );
    #[cfg(feature = "amqp")]
    assert_eq!(
        name("amqp://guest:guest@localhost:5672/%2f?queues=classic"),
        "amqp"
    );
}

#[cfg(any(feature = "kafka", feature = "sqs"))]
#[test]
fn a_url_has_a_host_and_a_query() {
    let parts = Parts::of(
        "sqs",
        "sqs://key:secret@localhost:9324/x?region=eu-1&topic.order.created=a%2Cb",
    );
    assert_eq!(parts.host, "localhost:9324");
    let user = ("key".to_owned(), "secret".to_owned());
    assert_eq!(parts.user, Some(user));
    let expected = [("region", "eu-1"), ("topic.order.created", "a,b")];
    let query = parts.query.iter();
    let query: Vec<_> = query
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(query, expected);
    assert_eq!(Parts::of("sqs", "sqs:").host, "");
}
