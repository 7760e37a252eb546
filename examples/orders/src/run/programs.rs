//! How each process is started.

use std::path::{Path, PathBuf};

use super::{Addresses, RunSettings};
use crate::{counts::Statements, process::Failed};

/// The services, by the names of their subcommands.
pub(super) const SERVICES: [&str; 6] = [
    "order",
    "inventory",
    "payment",
    "shipping",
    "notification",
    "analytics",
];

/// The databases of the services.
pub(super) const DATABASES: [&str; 7] = [
    "order",
    "timeline",
    "inventory",
    "payment",
    "shipping",
    "notification",
    "analytics",
];

/// A program to run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// What it is called in logs.
    pub(super) name: &'static str,
    /// The file.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// A file that it writes when it is ready.
    pub(super) ready: PathBuf,
    /// In which round it is asked to end: the lowest first.
    pub(super) round: usize,
}

/// The rounds in which programs are asked to end.
pub(super) const ROUNDS: usize = 3;

/// A Stele.
pub(super) fn broker(settings: &RunSettings, addresses: &Addresses, dir: &Path) -> Program {
    let ready = dir.join("broker.json");
    let mut arguments = vec![
        "serve".to_owned(),
        "--dir".to_owned(),
        dir.join("broker").display().to_string(),
        "--ports-file".to_owned(),
        ready.display().to_string(),
        // A group begins with its first member, not some seconds later.
        "--set".to_owned(),
        "kafka.group_gathering=0s".to_owned(),
    ];
    for (listener, port) in &addresses.broker_ports {
        arguments.extend(["--set".to_owned(), format!("{listener}.port={port}")]);
    }
    Program {
        name: "broker",
        program: settings.stele.clone(),
        arguments,
        ready,
        round: 2,
    }
}

/// What belongs to others: the provider and the mail server.
pub(super) fn outside(
    settings: &RunSettings,
    addresses: &Addresses,
    dir: &Path,
) -> Result<Vec<Program>, Failed> {
    let mut provider = part("provider", addresses.provider.to_string(), dir)?;
    provider.option("--db", addresses.database("provider")?);
    let mut sink = part("sink", addresses.sink.to_string(), dir)?;
    sink.option("--smtp", addresses.smtp.to_string());
    sink.option("--busy-every", settings.busy_every.to_string());
    for program in [&mut provider, &mut sink] {
        program.round = 1;
    }
    Ok(vec![provider, sink])
}

/// The services.
pub(super) fn services(
    settings: &RunSettings,
    addresses: &Addresses,
    dir: &Path,
) -> Result<Vec<Program>, Failed> {
    let mut all = Vec::new();
    for name in SERVICES {
        let address = addresses
            .of_service(name)
            .ok_or("a service without an address")?;
        let mut program = part(name, address.to_string(), dir)?;
        program.option("--transport", settings.protocol.name());
        program.option("--style", settings.style.name());
        program.option("--broker", &addresses.broker);
        program.option("--db", addresses.database(name)?);
        program.arguments.extend(settings.faults.arguments());
        if Statements::are_counted() {
            program.arguments.push("--count-statements".to_owned());
        }
        match name {
            "order" => {
                program.option("--timeline-db", addresses.database("timeline")?);
                for (name, address) in addresses.peers() {
                    program.option("--peer", format!("{name}=http://{address}"));
                }
            }
            "inventory" => {
                if let Some(stock) = &settings.stock {
                    program.option("--stock", stock);
                }
            }
            "payment" => {
                program.option("--provider", format!("http://{}", addresses.provider));
                program.option("--callback", format!("http://{}", addresses.payment));
            }
            "notification" => program.option("--smtp", addresses.smtp.to_string()),
            _ => {}
        }
        all.push(program);
    }
    Ok(all)
}

/// A subcommand of this program.
fn part(name: &'static str, address: String, dir: &Path) -> Result<Program, Failed> {
    let ready = dir.join(format!("{name}.address"));
    let mut program = Program {
        name,
        program: std::env::current_exe()?,
        arguments: vec![name.to_owned()],
        ready: ready.clone(),
        round: 0,
    };
    program.option("--http", address);
    program.option("--address-file", ready.display().to_string());
    Ok(program)
}

impl Program {
    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.arguments.extend([name.to_owned(), value.into()]);
    }
}
