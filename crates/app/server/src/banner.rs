//! The text printed once the process is ready: addresses, and a command to paste for each protocol.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

use stele_app_config::Settings;

/// What the banner shows.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) version: &'a str,
    pub(crate) ready_after_ms: u64,
    pub(crate) addresses: &'a [(&'static str, SocketAddr)],
    pub(crate) directory: &'a Path,
    pub(crate) is_development: bool,
}

/// The banner.
pub(crate) fn text(settings: &Settings, facts: &Facts<'_>) -> String {
    let mut out = String::new();
    let Facts {
        version,
        ready_after_ms,
        ..
    } = facts;
    let directory = facts.directory.display();
    let data = if facts.is_development {
        format!("{directory}, deleted on exit")
    } else {
        directory.to_string()
    };
    let mut line = |text: String| {
        writeln!(out, "{text}").expect("writing to a String succeeds");
    };
    line(format!(
        "\nStele {version} is ready, after {ready_after_ms} ms\n"
    ));
    let ports = || {
        facts
            .addresses
            .chunk_by(|(name, _), (other, _)| name == other)
    };
    for addresses in ports() {
        let name = addresses[0].0;
        let each = addresses.iter().map(|(_, address)| address.to_string());
        line(format!(
            "  {name:<9} {}",
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    line(format!("  {:<9} {data}\n", "data"));
    line("Send a message and read it with another protocol:\n".to_owned());
    for addresses in ports() {
        let (name, address) = &addresses[0];
        for command in commands(settings, name, *address) {
            line(format!("  {command}"));
        }
    }
    line("\nCtrl-C stops it; acknowledged data is kept.".to_owned());
    out
}

/// The commands to paste for a port.
fn commands(settings: &Settings, name: &str, address: SocketAddr) -> Vec<String> {
    match name {
        "kafka" => vec![format!("echo hello | kcat -b {address} -t demo -P")],
        "amqp" => vec![format!(
            "amqp-get -u amqp://{}@{address} -q demo",
            user(settings)
        )],
        "sqs" => {
            let region = &settings.sqs.region;
            vec![format!(
                "{}aws --region {region} --endpoint-url http://{address} sqs send-message \
                 --queue-url demo --message-body hello",
                keys(settings)
            )]
        }
        "admin" => vec![format!("curl http://{address}/v1/logs")],
        _ => Vec::new(),
    }
}

/// The user to show: the default one with its password, any other without.
fn user(settings: &Settings) -> String {
    let users = &settings.auth.users;
    match users.iter().next() {
        Some((name, secret)) if name == "guest" && secret.expose() == "guest" => {
            "guest:guest".to_owned()
        }
        Some((name, _)) => format!("{name}:PASSWORD"),
        None => "USER:PASSWORD".to_owned(),
    }
}

/// A key pair to paste, if any key pair is accepted.
fn keys(settings: &Settings) -> &'static str {
    if settings.auth.sqs_keys.is_empty() {
        "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any "
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use stele_app_config::{Flag, Inputs, load};

    use super::*;

    fn banner(users: &str) -> String {
        let flags = vec![Flag {
            path: "auth.users".to_owned(),
            text: users.to_owned(),
            name: "--set".to_owned(),
        }];
        let loaded = load(&Inputs {
            flags,
            ..Inputs::default()
        })
        .expect("a known key");
        let address = "127.0.0.1:1".parse().expect("an address");
        let facts = Facts {
            version: "0.0.0",
            ready_after_ms: 7,
            addresses: &[("kafka", address), ("amqp", address), ("sqs", address)],
            directory: Path::new("data"),
            is_development: false,
        };
        text(&loaded.settings, &facts)
    }

    #[test]
    fn there_is_a_line_to_paste_for_each_protocol() {
        let text = banner("guest:guest");
        assert!(text.contains("kcat -b 127.0.0.1:1 "), "{text}");
        assert!(text.contains("amqp://guest:guest@127.0.0.1:1 "), "{text}");
        assert!(
            text.contains("--endpoint-url http://127.0.0.1:1 "),
            "{text}"
        );
    }

    #[test]
    fn no_password_but_the_customary_one_is_shown() {
        assert!(!banner("ann:hush").contains("hush"));
    }
}
