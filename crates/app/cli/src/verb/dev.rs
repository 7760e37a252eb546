//! `stele dev`: a throwaway broker. It listens on loopback only and deletes its data on exit.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::{exit::Failure, options::ConfigOptions};

/// How to serve.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOptions,
    /// Write the open ports to this file as JSON once the broker is ready
    #[arg(long, value_name = "FILE")]
    ports_file: Option<PathBuf>,
}

/// Serves.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut set = options.config.set.iter();
    if options.config.dir.is_some() || set.any(|(key, _)| key == "storage.dir") {
        return Err(Failure::Usage(anyhow!(
            "`stele dev` keeps its data in a temporary directory: leave out the data directory, or \
             run `stele serve --dir DIR`"
        )));
    }
    let directory = tempfile::Builder::new()
        .prefix("stele-dev-")
        .tempdir()
        .context("cannot create the data directory")?;
    let data = directory.path().join("data");
    let mut config = options.config.clone();
    config.dir = Some(data.to_string_lossy().into_owned());
    config.host.get_or_insert_with(|| "localhost".to_owned());
    let loaded = config.load()?;
    stele_app_config::check(&loaded)?;
    let options = stele_app_server::Options {
        loaded,
        ports_file: options.ports_file.clone(),
        is_development: true,
        version: env!("CARGO_PKG_VERSION"),
    };
    let served = stele_app_server::run(&options);
    directory
        .close()
        .context("cannot delete the data directory")?;
    Ok(served?)
}
