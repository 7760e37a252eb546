use std::sync::Arc;

use stele_base_env::{OsRng, SystemClock};
use stele_base_types::{Secret, User};
use stele_wire_amqp::{ShortString, method::channel};

use super::*;

fn settings() -> Settings {
    let user = User {
        name: Name::new("guest").unwrap(),
        password: Secret::new("secret"),
    };
    let rng = Box::new(OsRng::new().unwrap());
    Settings::new(vec![user], Arc::new(SystemClock::new()), rng)
}

fn client() -> Principal {
    Principal::anonymous(([127, 0, 0, 1], 40_000).into())
}

fn start_ok(mechanism: &'static str, response: &'static [u8]) -> Method {
    let capabilities = Table::new()
        .with("authentication_failure_close", Value::Bool(true))
        .with("consumer_cancel_notify", Value::Bool(true));
    StartOk {
        client_properties: Table::new().with("capabilities", Value::Table(capabilities)),
        mechanism: ShortString::from_static(mechanism),
        response: Bytes::from_static(response),
        locale: ShortString::from_static("en_US"),
    }
    .into()
}

fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Method {
    TuneOk {
        channel_max,
        frame_max,
        heartbeat,
    }
    .into()
}

fn open(vhost: &'static str) -> Method {
    connection::Open {
        virtual_host: ShortString::from_static(vhost),
    }
    .into()
}

fn told(result: Result<Step, Refusal>) -> String {
    match result {
        Err(Refusal::Told(fault)) => fault.text(),
        Err(Refusal::Login(FailedLogin {
            told: Some(fault), ..
        })) => fault.text(),
        other => panic!("not told: {other:?}"),
    }
}

#[test]
fn the_product_is_rabbitmq_of_the_version_that_is_set_and_the_platform_is_stele() {
    let settings = Settings {
        rabbitmq_version: "3.9.1".to_owned(),
        ..settings()
    };
    let Method::Connection(connection::Method::Start(start)) =
        Negotiation::new(&settings, client()).start()
    else {
        panic!("not a start");
    };
    let text = |name| start.server_properties.find(name).and_then(Value::as_text);
    assert_eq!(text("product"), Some("RabbitMQ"));
    assert_eq!(text("version"), Some("3.9.1"));
    assert!(text("platform").is_some_and(|platform| platform.starts_with("Stele ")));
}

#[test]
fn a_login_with_plain_leads_to_an_open_connection() {
    let settings = settings();
    let mut negotiation = Negotiation::new(&settings, client());
    let step = negotiation.accept(start_ok("PLAIN", b"\0guest\0secret"), |_| true);
    assert!(matches!(
        step,
        Ok(Step::Reply(Method::Connection(connection::Method::Tune(_))))
    ));
    let step = negotiation.accept(tune_ok(100, 4096, 5), |_| true);
    assert!(matches!(step, Ok(Step::Wait)));
    let Ok(Step::Opened(opened)) = negotiation.accept(open("/"), |vhost| vhost == "/") else {
        panic!("not opened");
    };
    assert_eq!(
        (
            opened.channel_max,
            opened.frame_bytes_max,
            opened.heartbeat_s
        ),
        (100, 4096, 5)
    );
    assert!(opened.capabilities.cancel_notify && !opened.capabilities.blocked);
    assert_eq!(opened.principal.user(), Some("guest"));
}

#[test]
fn amqplain_takes_name_and_password_from_a_table() {
    let settings = settings();
    let response = b"\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x06secret";
    let step =
        Negotiation::new(&settings, client()).accept(start_ok("AMQPLAIN", response), |_| true);
    assert!(matches!(step, Ok(Step::Reply(_))));
}

#[test]
fn a_wrong_password_is_told_to_clients_that_understand_it() {
    let settings = settings();
    for response in [
        &b"\0guest\0wrong"[..],
        b"\0nobody\0secret",
        b"guest",
        b"",
        b"\0guest\0secret\0x",
    ] {
        let step =
            Negotiation::new(&settings, client()).accept(start_ok("PLAIN", response), |_| true);
        assert_eq!(
            told(step),
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
             details see the broker logfile."
        );
    }
    let old_client = StartOk {
        mechanism: ShortString::from_static("PLAIN"),
        ..StartOk::default()
    };
    let step = Negotiation::new(&settings, client()).accept(old_client.into(), |_| true);
    let Err(Refusal::Login(failed)) = step else {
        panic!("not refused: {step:?}");
    };
    assert_eq!(failed.told, None);
}

#[test]
fn a_failed_login_says_for_the_log_whose_it_was_and_why() {
    let settings = settings();
    for (response, user, reason) in [
        (&b"\0guest\0wrong"[..], "guest", LoginError::WrongPassword),
        (b"\0nobody\0secret", "nobody", LoginError::NoSuchUser),
        (b"guest", "", LoginError::Unreadable),
    ] {
        let step =
            Negotiation::new(&settings, client()).accept(start_ok("PLAIN", response), |_| true);
        let Err(Refusal::Login(failed)) = step else {
            panic!("not refused: {step:?}");
        };
        assert_eq!((failed.user.as_str(), failed.reason), (user, reason));
    }
}

#[test]
fn limits_beyond_ours_are_refused() {
    let settings = settings();
    let cases = [
        (
            tune_ok(1, 131_073, 0),
            "frame_max = 131073 is higher than the maximum allowed value (131072)",
        ),
        (
            tune_ok(1, 0, 0),
            "frame_max = 0 is higher than the maximum allowed value (131072)",
        ),
        (
            tune_ok(1, 4095, 0),
            "frame_max = 4095 is lower than the minimum allowed value (4096)",
        ),
        (
            tune_ok(2048, 4096, 0),
            "channel_max = 2048 is higher than the maximum allowed value (2047)",
        ),
    ];
    for (tune_ok, text) in cases {
        let mut negotiation = Negotiation::new(&settings, client());
        negotiation
            .accept(start_ok("PLAIN", b"\0guest\0secret"), |_| true)
            .unwrap();
        let text = format!("NOT_ALLOWED - negotiated {text}");
        assert_eq!(told(negotiation.accept(tune_ok, |_| true)), text);
    }
}

#[test]
fn an_unknown_virtual_host_is_not_allowed() {
    let settings = settings();
    let mut negotiation = Negotiation::new(&settings, client());
    negotiation
        .accept(start_ok("PLAIN", b"\0guest\0secret"), |_| true)
        .unwrap();
    negotiation.accept(tune_ok(1, 4096, 0), |_| true).unwrap();
    let step = negotiation.accept(open("nope"), |_| false);
    assert_eq!(told(step), "NOT_ALLOWED - vhost nope not found");
}

#[test]
fn methods_out_of_turn_end_it_without_a_word() {
    let settings = settings();
    for method in [open("/"), tune_ok(1, 4096, 0), channel::Open {}.into()] {
        let step = Negotiation::new(&settings, client()).accept(method, |_| true);
        assert!(matches!(step, Err(Refusal::Silent(_))));
    }
}
