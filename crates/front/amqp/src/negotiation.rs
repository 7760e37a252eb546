//! Negotiates from the protocol header to an open connection.
//!
//! ```text
//!  client                     server
//!  "AMQP" 0 0 9 1 ──────────▶
//!             ◀────────────── start      capabilities, mechanisms
//!  start-ok ────────────────▶            name and password
//!             ◀────────────── tune       proposed limits
//!  tune-ok ─────────────────▶            limits in force
//!  open ────────────────────▶            virtual host
//!             ◀────────────── open-ok
//! ```
//!
//! Pure: takes methods, returns methods and outcomes.

use bytes::Bytes;
use stele_base_types::{LoginError, Name, Principal, User};
use stele_wire_amqp::{
    EncodedTable, Method, Table, Value,
    limits::FRAME_MIN_BYTES,
    method::connection::{self, StartOk, TuneOk},
    reply_code::ACCESS_REFUSED,
};

use crate::{errors::Fault, settings::Settings};

/// The negotiated values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) principal: Principal,
    pub(crate) vhost: Name,
    pub(crate) channel_max: u16,
    pub(crate) frame_bytes_max: u32,
    /// In seconds; 0 disables heartbeats.
    pub(crate) heartbeat_s: u16,
    pub(crate) capabilities: Capabilities,
    /// The text entries of the client's properties.
    pub(crate) client_properties: Vec<(String, String)>,
}

/// The client's support for extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// It supports `connection.blocked`.
    pub(crate) blocked: bool,
    /// It supports `basic.cancel` for deleted queues.
    pub(crate) cancel_notify: bool,
    /// It supports `connection.close` for refused logins.
    pub(crate) login_refused_close: bool,
}

/// The next step after a method.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this and continue.
    Reply(Method),
    /// Continue.
    Wait,
    /// Send `open-ok`: the connection is open.
    Opened(Opened),
    /// The client closes the connection: send `close-ok`.
    Closed,
}

/// Why the connection isn't opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Report it with `connection.close`.
    Told(Fault),
    /// Close without a message, after a delay: the client isn't authenticated.
    Silent(Fault),
    /// The login failed.
    Login(FailedLogin),
}

/// A failed login.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FailedLogin {
    /// The user that the client named.
    pub(crate) user: String,
    /// The reason, only for the log.
    pub(crate) reason: LoginError,
    /// The message for the client, if it supports one.
    pub(crate) told: Option<Fault>,
}

/// The state of a negotiation.
#[derive(Debug)]
pub(crate) struct Negotiation<'a> {
    settings: &'a Settings,
    principal: Principal,
    client_properties: Vec<(String, String)>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Starting,
    Tuning(Capabilities),
    Opening(Opened),
}

impl<'a> Negotiation<'a> {
    /// Starts a negotiation with a client that hasn't sent anything.
    pub(crate) fn new(settings: &'a Settings, principal: Principal) -> Self {
        Self {
            settings,
            principal,
            client_properties: Vec::new(),
            phase: Phase::Starting,
        }
    }

    /// The user that has logged in.
    pub(crate) fn user(&self) -> Option<&str> {
        Some(&self.principal.login.as_ref()?.user)
    }

    /// The response to a protocol header.
    pub(crate) fn start(&self) -> Method {
        connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: server_properties(self.settings),
            mechanisms: Bytes::from_static(b"PLAIN AMQPLAIN"),
            locales: Bytes::from_static(b"en_US"),
        }
        .into()
    }

    /// Processes a method from the client.
    pub(crate) fn accept(
        &mut self,
        method: Method,
        vhost_exists: impl FnOnce(&str) -> bool,
    ) -> Result<Step, Refusal> {
        let Method::Connection(method) = method else {
            return Err(unexpected(&method));
        };
        match (&self.phase, method) {
            (_, connection::Method::Close(_)) => Ok(Step::Closed),
            (Phase::Starting, connection::Method::StartOk(start_ok)) => self.login(&start_ok),
            (Phase::Tuning(capabilities), connection::Method::TuneOk(tune_ok)) => {
                let tuned = self.tuned(*capabilities, &tune_ok);
                self.phase = Phase::Opening(tuned.map_err(Refusal::Told)?);
                Ok(Step::Wait)
            }
            (Phase::Opening(opened), connection::Method::Open(open)) => {
                let vhost = open.virtual_host.as_str();
                let not_found = || Fault::not_allowed(format!("vhost {vhost} not found"));
                let name = Name::new(vhost).map_err(|_| Refusal::Told(not_found()))?;
                if !vhost_exists(vhost) {
                    return Err(Refusal::Told(not_found()));
                }
                Ok(Step::Opened(Opened {
                    vhost: name,
                    ..opened.clone()
                }))
            }
            (_, method) => Err(unexpected(&Method::Connection(method))),
        }
    }

    fn login(&mut self, start_ok: &StartOk) -> Result<Step, Refusal> {
        let capabilities = Capabilities::of(&start_ok.client_properties);
        let mechanism = start_ok.mechanism.as_str();
        let credentials = match mechanism {
            "PLAIN" => plain(&start_ok.response),
            "AMQPLAIN" => amqplain(&start_ok.response),
            _ => {
                return Err(Refusal::Told(Fault::command_invalid(format!(
                    "unknown authentication mechanism '{mechanism}'"
                ))));
            }
        };
        let users = &self.settings.users;
        let (name, password) = credentials.unwrap_or_default();
        let login = match name.is_empty() {
            true => Err(LoginError::Unreadable),
            false => User::log_in(users, &name, &password),
        };
        let login = login.map_err(|reason| {
            let fault = || login_refused(mechanism);
            Refusal::Login(FailedLogin {
                user: String::from_utf8_lossy(&name).into_owned(),
                reason,
                told: capabilities.login_refused_close.then(fault),
            })
        })?;
        self.principal.login = Some(login);
        self.client_properties = texts(&start_ok.client_properties);
        self.phase = Phase::Tuning(capabilities);
        let tune = connection::Tune {
            channel_max: self.settings.channel_max,
            frame_max: self.settings.frame_bytes_max,
            heartbeat: self.settings.heartbeat_s,
        };
        Ok(Step::Reply(tune.into()))
    }

    fn tuned(&self, capabilities: Capabilities, tune_ok: &TuneOk) -> Result<Opened, Fault> {
        let settings = self.settings;
        let (frame_max, channel_max) = (tune_ok.frame_max, tune_ok.channel_max);
        check_limit(
            "frame_max",
            frame_max,
            FRAME_MIN_BYTES,
            settings.frame_bytes_max,
        )?;
        check_limit(
            "channel_max",
            u32::from(channel_max),
            1,
            u32::from(settings.channel_max),
        )?;
        Ok(Opened {
            principal: self.principal.clone(),
            vhost: Name::vhost_default(),
            channel_max,
            frame_bytes_max: frame_max,
            heartbeat_s: tune_ok.heartbeat,
            capabilities,
            client_properties: self.client_properties.clone(),
        })
    }
}

impl Capabilities {
    fn of(client_properties: &Table) -> Self {
        let Some(Value::Table(capabilities)) = client_properties.find("capabilities") else {
            return Self::default();
        };
        let has = |name| capabilities.find(name).and_then(Value::as_bool) == Some(true);
        Self {
            blocked: has("connection.blocked"),
            cancel_notify: has("consumer_cancel_notify"),
            login_refused_close: has("authentication_failure_close"),
        }
    }
}

/// Checks that a limit chosen by the client is within the server's; 0 would mean no limit.
fn check_limit(field: &str, value: u32, min: u32, max: u32) -> Result<(), Fault> {
    let (relation, bound, limit) = if value != 0 && value < min {
        ("lower", "minimum", min)
    } else if value == 0 || value > max {
        ("higher", "maximum", max)
    } else {
        return Ok(());
    };
    Err(Fault::not_allowed(format!(
        "negotiated {field} = {value} is {relation} than the {bound} allowed value ({limit})"
    )))
}

/// RabbitMQ's text.
fn login_refused(mechanism: &str) -> Fault {
    let detail = format!(
        "Login was refused using authentication mechanism {mechanism}. For details see the broker \
         logfile."
    );
    Fault::new(ACCESS_REFUSED, detail)
}

fn unexpected(method: &Method) -> Refusal {
    Refusal::Silent(Fault::channel_error(format!(
        "unexpected method {} before the connection is open",
        method.name()
    )))
}

fn texts(table: &Table) -> Vec<(String, String)> {
    let texts = table.iter().filter_map(|(name, value)| {
        let text = value.as_text()?;
        Some((name.to_string(), text.to_owned()))
    });
    texts.collect()
}

/// RFC 4616: an authorization identity, which is ignored, then name and password, each after a NUL.
fn plain(response: &Bytes) -> Option<(Bytes, Bytes)> {
    let mut parts = response.split(|octet| *octet == 0).skip(1);
    let (name, password) = (parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((response.slice_ref(name), response.slice_ref(password)))
}

/// The mechanism of AMQP 0-8: the entries `LOGIN` and `PASSWORD` of a table.
fn amqplain(response: &Bytes) -> Option<(Bytes, Bytes)> {
    let table = EncodedTable::from_entries(response.clone()).decode().ok()?;
    let text = |name| match table.find(name) {
        Some(Value::LongString(octets)) => Some(octets.clone()),
        _ => None,
    };
    Some((text("LOGIN")?, text("PASSWORD")?))
}

/// Client libraries choose their behaviour by `product` and `version`, so both are RabbitMQ's;
/// `platform` has the real name.
fn server_properties(settings: &Settings) -> Table {
    let capabilities = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ]
    .into_iter()
    .fold(Table::new(), |table, name| {
        table.with(name, Value::Bool(true))
    });
    let platform = format!("Stele {}", settings.version);
    Table::new()
        .with("capabilities", Value::Table(capabilities))
        .with("product", Value::text("RabbitMQ"))
        .with("version", Value::text(&settings.rabbitmq_version))
        .with("platform", Value::text(&platform))
        .with(
            "information",
            Value::text("Licensed under the Apache License, Version 2.0"),
        )
}

#[cfg(test)]
mod tests;
