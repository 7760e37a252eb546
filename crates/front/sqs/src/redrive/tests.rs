use super::*;

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

fn refused(text: &str) -> String {
    RedrivePolicy::read(text).unwrap_err().message
}

#[test]
fn an_arn_has_six_parts() {
    let arn = Arn::read(ARN).unwrap();
    assert_eq!(
        (arn.region, arn.account, arn.name),
        ("us-east-1", "000000000000", "dead")
    );
    for bad in [
        "",
        "dead",
        "arn:aws:sns:r:a:dead",
        "arn:aws:sqs:r:a",
        "arn:aws:sqs:r:a:",
        "arn:aws:sqs:r:a:b:c",
    ] {
        assert_eq!(Arn::read(bad), None, "{bad}");
    }
}

#[test]
fn a_policy_has_a_target_and_a_count() {
    for count in ["3", "\"3\""] {
        let text = format!("{{\"maxReceiveCount\":{count},\"deadLetterTargetArn\":\"{ARN}\"}}");
        let policy = RedrivePolicy::read(&text).unwrap().unwrap();
        assert_eq!((policy.receives_max, policy.target()), (3, "dead"));
        let json = format!("{{\"deadLetterTargetArn\":\"{ARN}\",\"maxReceiveCount\":3}}");
        assert_eq!(policy.to_json(), json);
        assert_eq!(RedrivePolicy::read(&json).unwrap(), Some(policy));
    }
    assert_eq!(RedrivePolicy::read("").unwrap(), None);
}

#[test]
fn a_policy_that_is_not_one_is_refused_in_the_words_of_aws() {
    for text in ["x", "[]", "3", "null", "\"\""] {
        let expected = "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is \
                        not a valid JSON map.";
        assert_eq!(refused(text), expected, "{text}");
    }
    let of = |count: &str, arn: &str, more: &str| {
        format!("{{\"maxReceiveCount\":{count},\"deadLetterTargetArn\":{arn}{more}}}")
    };
    let arn = format!("\"{ARN}\"");
    for (text, reason) in [
        (
            "{}".to_owned(),
            "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        ),
        (
            "{\"maxReceiveCount\":1}".to_owned(),
            "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        ),
        (
            of("0", &arn, ""),
            "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            of("\"1001\"", &arn, ""),
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both \
             inclusive.",
        ),
        (
            of("1.5", &arn, ""),
            "Invalid value for maxReceiveCount: 1.5, valid values are from 1 to 1000 both \
             inclusive.",
        ),
        (
            of("1", "\"dead\"", ""),
            "Dead-letter target ARN should be fully qualified ARN.",
        ),
        (
            of("1", "7", ""),
            "Dead-letter target ARN should be fully qualified ARN.",
        ),
        (
            of("1", &arn, ",\"x\":1"),
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
        ),
    ] {
        let expected =
            format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}");
        assert_eq!(refused(&text), expected);
    }
}

#[test]
fn an_allow_policy_names_its_sources_only_by_queue() {
    let sources: Vec<String> = (0..11).map(|number| format!("{ARN}{number}")).collect();
    for (text, allows) in [
        (json!({"redrivePermission": "allowAll"}), true),
        (json!({"redrivePermission": "denyAll"}), false),
        (
            json!({"redrivePermission": "byQueue", "sourceQueueArns": [ARN]}),
            true,
        ),
        (
            json!({"redrivePermission": "byQueue", "sourceQueueArns": &sources[..10]}),
            false,
        ),
    ] {
        let policy = RedriveAllowPolicy::read(&text.to_string())
            .unwrap()
            .unwrap();
        assert_eq!(policy.allows(ARN), allows, "{text}");
        assert_eq!(policy.to_json(), text.to_string());
    }
    for (text, reason) in [
        ("x", "unsupported format."),
        ("[]", "unsupported format."),
        ("{}", "unsupported format."),
        ("{\"redrivePermission\":\"some\"}", "unsupported format."),
        (
            "{\"redrivePermission\":\"denyAll\",\"x\":1}",
            "unsupported format.",
        ),
        (
            "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[1]}",
            "unsupported format.",
        ),
        (
            "{\"redrivePermission\":\"byQueue\"}",
            "sourceQueueArns values.",
        ),
        (
            "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[]}",
            "sourceQueueArns values.",
        ),
        (
            "{\"redrivePermission\":\"allowAll\",\"sourceQueueArns\":[]}",
            "you must set redrivePermission to byQueue.",
        ),
        (
            &json!({"redrivePermission": "byQueue", "sourceQueueArns": sources}).to_string(),
            "The maximum number of source queue ARNs you can specify is 10.",
        ),
    ] {
        let message = RedriveAllowPolicy::read(text).unwrap_err().message;
        assert!(message.ends_with(reason), "{text}: {message}");
    }
}

#[test]
fn a_queue_remembers_its_former_limit() {
    let mut settings = Settings::new();
    assert_eq!(former(&settings), (None, false));
    let policy = RedrivePolicy {
        target_arn: ARN.into(),
        receives_max: 3,
    };
    let limited = limited(LedgerConfig::PLAIN, &policy);
    for queue in [LedgerConfig::PLAIN, limited] {
        keep_former(&mut settings, &queue);
        let dies = queue.dead_letters.contains(DeathReason::Deliveries);
        assert_eq!(former(&settings), (queue.deliveries_max, dies));
    }
}
