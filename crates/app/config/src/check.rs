//! Checks that involve more than one key: whether the configuration as a whole is safe to start
//! with.

use std::net::{IpAddr, ToSocketAddrs as _};

use crate::{error::Error, load::Loaded, source::Source};

/// Fails if the configuration lets anybody in over the network, gives two fronts the same address,
/// or sets one key of a pair without the other.
pub fn check(loaded: &Loaded) -> Result<(), Error> {
    ports_differ(loaded)?;
    let kafka = &loaded.settings.kafka;
    if kafka.advertised_port.is_some() && kafka.advertised_host.is_none() {
        return Err(Error::Alone {
            key: "kafka.advertised_port",
            other: "kafka.advertised_host",
        });
    }
    if loaded.settings.auth.insecure {
        return Ok(());
    }
    let settings = &loaded.settings;
    let own_users = loaded
        .values
        .get("auth.users")
        .is_some_and(|v| v.from != Source::Default)
        && !settings.auth.users.is_empty();
    let users = (
        own_users,
        "it has only the default users",
        "set `auth.users`",
    );
    let keys = (
        !settings.auth.sqs_keys.is_empty(),
        "it accepts any key pair",
        "set `auth.sqs_keys`",
    );
    let none = (
        false,
        "it has no authentication",
        "put it behind a proxy that authenticates clients",
    );
    let fronts = [
        ("kafka", &settings.kafka.host, none),
        ("amqp", &settings.amqp.host, users),
        ("sqs", &settings.sqs.host, keys),
        ("admin", &settings.admin.host, users),
    ];
    for (section, host, (closed, missing, remedy)) in fronts {
        if !closed && !is_loopback(host) {
            return Err(Error::Open {
                section,
                host: host.clone(),
                missing,
                remedy,
            });
        }
    }
    Ok(())
}

/// Whether `host` names the loopback addresses. `localhost` does, whatever the system resolves it
/// to (RFC 6761).
pub fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
}

/// Whether every address that `host` resolves to is loopback. False for a name that doesn't
/// resolve: binding it fails later, with its own message.
fn is_loopback(host: &str) -> bool {
    if is_localhost(host) {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let resolved = (host, 0_u16).to_socket_addrs();
    resolved.is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()))
}

fn ports_differ(loaded: &Loaded) -> Result<(), Error> {
    let settings = &loaded.settings;
    let sqs_alias = settings.sqs.alias_port.unwrap_or(0);
    let bound = [
        ("kafka.port", &settings.kafka.host, settings.kafka.port),
        ("amqp.port", &settings.amqp.host, settings.amqp.port),
        ("sqs.port", &settings.sqs.host, settings.sqs.port),
        ("sqs.alias_port", &settings.sqs.host, sqs_alias),
        ("admin.port", &settings.admin.host, settings.admin.port),
    ];
    for (at, (first, host, port)) in bound.iter().enumerate() {
        let clash = bound[at + 1..]
            .iter()
            .find(|other| (other.1, other.2) == (*host, *port));
        if let Some((second, ..)) = clash
            && *port != 0
        {
            return Err(Error::SamePort {
                first,
                second,
                address: format!("{host}:{port}"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Flag, Inputs, load};

    fn checked(set: &[(&str, &str)]) -> Result<(), Error> {
        let flags = set
            .iter()
            .map(|(path, text)| Flag {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
                name: "--set".to_owned(),
            })
            .collect();
        check(
            &load(&Inputs {
                flags,
                ..Inputs::default()
            })
            .expect("known keys"),
        )
    }

    #[test]
    fn loopback_needs_nothing() {
        checked(&[]).expect("the defaults are safe");
        checked(&[("kafka.host", "::1"), ("amqp.host", "127.0.0.2")]).expect("loopback");
    }

    #[test]
    fn elsewhere_needs_authentication() {
        for section in ["kafka", "amqp", "sqs", "admin"] {
            let key = format!("{section}.host");
            let refused = checked(&[(&key, "0.0.0.0")]);
            assert!(matches!(refused, Err(Error::Open { .. })), "{section}");
            checked(&[(&key, "0.0.0.0"), ("auth.insecure", "true")]).expect("told so");
        }
        checked(&[("amqp.host", "0.0.0.0"), ("auth.users", "ann:a")]).expect("own users");
        checked(&[("sqs.host", "0.0.0.0"), ("auth.sqs_keys", "AK:s")]).expect("own keys");
    }

    #[test]
    fn an_advertised_port_needs_its_host() {
        let alone = checked(&[("kafka.advertised_port", "1")]);
        assert!(matches!(alone, Err(Error::Alone { .. })));
    }

    #[test]
    fn two_fronts_on_one_port_are_refused_and_any_free_port_is_not() {
        let clash = checked(&[("kafka.port", "5672")]);
        assert!(matches!(
            clash,
            Err(Error::SamePort {
                first: "kafka.port",
                ..
            })
        ));
        checked(&[("kafka.port", "0"), ("amqp.port", "0")]).expect("any two free ports");
    }
}
