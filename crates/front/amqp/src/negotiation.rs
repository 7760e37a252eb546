//! From the protocol header to an open connection.
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
//! Pure: methods in, methods and outcomes out.

use bytes::Bytes;
use stele_base_types::{LoginError, Name, Principal, User};
use stele_wire_amqp::{
    EncodedTable, Method, Table, Value,
    limits::FRAME_MIN_BYTES,
    method::connection::{self, StartOk, TuneOk},
    reply_code::ACCESS_REFUSED,
};

use crate::{errors::Fault, settings::Settings};

/// What the peers have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) principal: Principal,
    pub(crate) vhost: Name,
    pub(crate) channel_max: u16,
    pub(crate) frame_bytes_max: u32,
    /// Seconds; 0: none.
    pub(crate) heartbeat_s: u16,
    pub(crate) capabilities: Capabilities,
    /// What the client says of itself: the entries that are text.
    pub(crate) client_properties: Vec<(String, String)>,
}

/// What the client understands beyond the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// It wants `connection.blocked`.
    pub(crate) blocked: bool,
    /// It wants `basic.cancel` when its queue is deleted.
    pub(crate) cancel_notify: bool,
    /// It wants `connection.close` when its login is refused.
    pub(crate) login_refused_close: bool,
}

/// What follows from a method.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this and go on.
    Reply(Method),
    /// Go on.
    Wait,
    /// Send `open-ok`: done.
    Opened(Opened),
    /// The client ends it: send `close-ok`.
    Closed,
}

/// Why there will be no connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Tell the client, by `connection.close`.
    Told(Fault),
    /// Close without a word, and not at once: the client has proven nothing.
    Silent(Fault),
    /// Nobody is logged in.
    Login(FailedLogin),
}

/// A login that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FailedLogin {
    /// Whom the client said to be.
    pub(crate) user: String,
    /// Why it isn't believed, for the log.
    pub(crate) reason: LoginError,
    /// What to tell the client, where it has said that it understands; else nothing.
    pub(crate) told: Option<Fault>,
}

/// Where a negotiation stands.
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
    /// A negotiation with a client that hasn't said anything yet.
    pub(crate) fn new(settings: &'a Settings, principal: Principal) -> Self {
        Self {
            settings,
            principal,
            client_properties: Vec::new(),
            phase: Phase::Starting,
        }
    }

    /// The method that answers a protocol header.
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

    /// Takes a method of the client's.
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

/// A limit of the client's choice must lie within ours; 0 would be none.
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

/// RFC 4616: an identity to act as, which is ignored, then name and password, each after a NUL.
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

/// Client libraries look at `product` and `version` to decide which of RabbitMQ's behaviours they
/// count on, so both say RabbitMQ; what answers in truth is the `platform`.
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
