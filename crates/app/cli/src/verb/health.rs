//! `stele health`: for probes. Exits with 0 if the broker is ready, with 5 if it isn't or can't be
//! reached.

use std::io::{self, Write as _};

use anyhow::anyhow;
use clap::Args;

use crate::{admin_client::Target, exit::Failure};

/// Which broker to ask.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
}

/// Asks the broker.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let answer = options.target.get("/readyz?verbose")?;
    write!(io::stdout(), "{}", answer.body)?;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(Failure::Unavailable(anyhow!("not ready")))
    }
}
