//! `stele serve`: runs the broker until a signal stops it.

use std::path::PathBuf;

use clap::Args;

use crate::{exit::Failure, options::ConfigOptions};

/// How to serve.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) config: ConfigOptions,
    /// Write the open ports to this file as JSON once the broker is ready
    #[arg(long, value_name = "FILE")]
    pub(crate) ports_file: Option<PathBuf>,
}

/// Runs the broker.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let loaded = options.config.load()?;
    stele_app_config::check(&loaded)?;
    let options = stele_app_server::Options {
        loaded,
        ports_file: options.ports_file.clone(),
        is_development: false,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(stele_app_server::run(&options)?)
}
